import { strict as assert } from "node:assert";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import type { BatchOutcome } from "./batch_sender.ts";
import { ExportQueue } from "./export_queue.ts";

const settle = () => new Promise((resolve) => setTimeout(resolve));

function bed() {
  const clock = new MemoryScheduler();
  const batches: { readonly records: readonly number[]; readonly done: (outcome: BatchOutcome) => void }[] = [];
  const counts = { exported: { value: 0 }, overflown: { value: 0 }, failed: { value: 0 }, rejected: { value: 0 } };
  const queue = new ExportQueue<number>({
    clock,
    delay: 1000,
    queueMax: 10,
    batchMax: 4,
    counts,
    send: (records) => new Promise((done) => void batches.push({ records, done })),
  });
  const add = (...records: number[]) => records.forEach((record) => queue.add(record));
  const sent = () => batches.map(({ records }) => records);
  const numbers = () => Object.values(counts).map(({ value }) => value);
  return { clock, batches, queue, add, sent, numbers };
}

const ACCEPTED: BatchOutcome = { kind: "accepted", rejected: 0 };

Deno.test("export queue: a batch leaves after the delay, or at once when it is full", () => {
  const { clock, add, sent } = bed();
  add(1, 2);
  clock.advance(999);
  assert.deepEqual(sent(), []);
  clock.advance(1);
  assert.deepEqual(sent(), [[1, 2]]);
  const other = bed();
  other.add(1, 2, 3, 4, 5);
  assert.deepEqual(other.sent(), [[1, 2, 3, 4]]);
});

Deno.test("export queue: while a batch is in flight others wait, and beyond the bound they are dropped and counted", async () => {
  const { add, sent, batches, numbers, queue } = bed();
  add(1, 2, 3, 4);
  for (let record = 5; record <= 17; record++) add(record);
  assert.equal(queue.isFull, true);
  assert.deepEqual(numbers(), [0, 3, 0, 0]);
  batches[0]!.done(ACCEPTED);
  await settle();
  assert.deepEqual(sent(), [[1, 2, 3, 4], [5, 6, 7, 8]]);
  assert.deepEqual(numbers(), [4, 3, 0, 0]);
});

Deno.test("export queue: outcomes are counted by records", async () => {
  const { add, batches, numbers } = bed();
  add(1, 2, 3, 4);
  batches[0]!.done({ kind: "accepted", rejected: 3 });
  await settle();
  add(5, 6, 7, 8);
  batches[1]!.done({ kind: "failed" });
  await settle();
  add(9, 10, 11, 12);
  batches[2]!.done({ kind: "accepted", rejected: 100 });
  await settle();
  assert.deepEqual(numbers(), [1, 0, 4, 7]);
});

Deno.test("export queue: a flush sends all that waits, batch by batch, and then resolves", async () => {
  const { add, queue, batches, sent } = bed();
  add(1, 2, 3, 4, 5, 6, 7, 8, 9);
  let isEmpty = false;
  void queue.flush().then(() => isEmpty = true);
  for (let i = 0; i < 3; i++) {
    assert.equal(isEmpty, false);
    batches[i]!.done(ACCEPTED);
    await settle();
  }
  assert.deepEqual([sent(), isEmpty], [[[1, 2, 3, 4], [5, 6, 7, 8], [9]], true]);
  await bed().queue.flush();
});

Deno.test("export queue: what waits at the end counts as failed", () => {
  const { add, queue, numbers, clock, sent } = bed();
  add(1, 2);
  queue.close();
  clock.advance(5000);
  assert.deepEqual([numbers(), sent()], [[0, 0, 2, 0], []]);
});
