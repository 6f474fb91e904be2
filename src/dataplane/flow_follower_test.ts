import { strict as assert } from "node:assert";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import { flowParts } from "../telemetry/testkit/flows.ts";
import { FlowFollower } from "./flow_follower.ts";

function bed() {
  const scheduler = new MemoryScheduler();
  const batches: { lines: readonly string[]; lost: number }[] = [];
  const follower = new FlowFollower(scheduler, (events, lost) => {
    const text = events.map((piece) => new TextDecoder().decode(piece)).join("");
    batches.push({ lines: [...text.matchAll(/data: (.*)\n\n/g)].map(([, line]) => JSON.parse(line!).id), lost });
  });
  const add = (id: string) => follower.add({ kind: "ended", time: 0, parts: flowParts({ id }) });
  return { scheduler, batches, follower, add };
}

Deno.test("follower: events of 200 ms are one batch", () => {
  const { scheduler, batches, add } = bed();
  add("a");
  scheduler.advance(199);
  add("b");
  assert.deepEqual(batches, []);
  scheduler.advance(1);
  assert.deepEqual(batches, [{ lines: ["a", "b"], lost: 0 }]);
  scheduler.advance(1000);
  assert.equal(batches.length, 1);
});

Deno.test("follower: with two batches in flight, events wait, and beyond 4000 they are lost and counted", () => {
  const { scheduler, batches, follower, add } = bed();
  for (const line of ["a", "b"]) {
    add(line);
    scheduler.advance(200);
  }
  for (let i = 0; i < 4005; i++) add(`${i}`);
  scheduler.advance(1000);
  assert.equal(batches.length, 2);
  follower.taken([]);
  scheduler.advance(200);
  assert.equal(batches.length, 3);
  assert.deepEqual([batches[2]!.lines.length, batches[2]!.lines[0], batches[2]!.lost], [4000, "0", 5]);
  follower.taken([]);
  add("next");
  scheduler.advance(200);
  assert.deepEqual(batches[3], { lines: ["next"], lost: 0 });
});

Deno.test("follower: nothing is sent after the end", () => {
  const { scheduler, batches, follower, add } = bed();
  add("a");
  follower.close();
  scheduler.advance(1000);
  assert.deepEqual(batches, []);
});

Deno.test("follower: at the end what waits is sent at once, also with two batches in flight", () => {
  const { scheduler, batches, follower, add } = bed();
  for (const line of ["a", "b"]) {
    add(line);
    scheduler.advance(200);
  }
  add("c");
  follower.flush();
  follower.flush();
  assert.deepEqual(batches.map(({ lines }) => lines), [["a"], ["b"], ["c"]]);
});

Deno.test("follower: buffers of a batch that was taken are filled again", () => {
  const scheduler = new MemoryScheduler();
  const buffers: ArrayBuffer[] = [];
  const follower = new FlowFollower(scheduler, (events) => {
    buffers.push(...events.map(({ buffer }) => buffer));
    follower.taken(events);
  });
  for (let i = 0; i < 3; i++) {
    follower.add({ kind: "ended", time: 0, parts: flowParts() });
    scheduler.advance(200);
  }
  assert.equal(buffers.length, 3);
  assert.equal(new Set(buffers).size, 1);
});
