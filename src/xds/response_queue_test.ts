import assert from "node:assert/strict";
import { setImmediate } from "node:timers";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceType } from "./resources.ts";
import { ResponseQueue } from "./response_queue.ts";

/** A queue whose responses are applied when the test says so. */
class QueueBed {
  readonly begun: string[] = [];
  /** Responses whose earlier ones are all in force, of those that were given a promise. */
  readonly earlier: string[] = [];
  failures = 0;
  readonly queue = new ResponseQueue(() => this.failures++);
  readonly #gates = new Map<string, PromiseWithResolvers<void>>();

  add(name: string, type: ResourceType, bytes = 1): void {
    const gate = Promise.withResolvers<void>();
    this.#gates.set(name, gate);
    const apply = (earlier: Promise<void> | null) => {
      this.begun.push(earlier === null ? name : `${name} early`);
      earlier?.then(() => this.earlier.push(name));
      return gate.promise;
    };
    this.queue.add({ type, bytes, apply });
  }

  async applied(name: string): Promise<void> {
    this.#gates.get(name)!.resolve();
    await settle();
  }

  async failed(name: string): Promise<void> {
    this.#gates.get(name)!.reject(new Error(name));
    await settle();
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

Deno.test("policies do not wait for workloads, but for each other; workloads wait for all", async () => {
  const bed = new QueueBed();
  bed.add("a1", ADDRESS_TYPE);
  bed.add("a2", ADDRESS_TYPE);
  bed.add("p3", AUTHORIZATION_TYPE);
  bed.add("p4", AUTHORIZATION_TYPE);
  bed.add("a5", ADDRESS_TYPE);
  await settle();
  assert.deepEqual(bed.begun, ["a1", "p3 early"]);
  await bed.applied("p3");
  assert.deepEqual(bed.begun, ["a1", "p3 early", "p4 early"]);
  await bed.applied("a1");
  assert.deepEqual(bed.begun.slice(3), ["a2"]);
  assert.deepEqual(bed.earlier, []);
  await bed.applied("a2");
  assert.deepEqual(bed.earlier, ["p3", "p4"]);
  assert.equal(bed.queue.addresses, 1);
  await bed.applied("p4");
  assert.deepEqual(bed.begun.slice(4), ["a5"]);
  await bed.applied("a5");
  await bed.queue.end();
  assert.equal(bed.queue.addresses, 0);
});

Deno.test("policies without workloads before them have nothing to wait for", async () => {
  const bed = new QueueBed();
  bed.add("a1", ADDRESS_TYPE);
  await settle();
  await bed.applied("a1");
  bed.add("p2", AUTHORIZATION_TYPE);
  await settle();
  assert.deepEqual(bed.begun, ["a1", "p2"]);
  await bed.applied("p2");
});

for (const [what, count, bytes] of [["64 responses", 64, 1], ["8 MiB", 1, 8 << 20]] as const) {
  Deno.test(`nothing is read while ${what} wait`, async () => {
    const bed = new QueueBed();
    bed.add("first", ADDRESS_TYPE, 100 << 20);
    let reads = false;
    await settle();
    await bed.queue.room();
    for (let i = 0; i < count; i++) bed.add(`a${i}`, ADDRESS_TYPE, bytes);
    bed.queue.room().then(() => reads = true);
    await settle();
    assert.equal(reads, false);
    await bed.applied("first");
    assert.equal(reads, true);
    for (let i = 0; i < count; i++) await bed.applied(`a${i}`);
  });
}

Deno.test("after a failure nothing that waits is applied, and the end reports it", async () => {
  const bed = new QueueBed();
  bed.add("a1", ADDRESS_TYPE);
  bed.add("a2", ADDRESS_TYPE);
  await bed.failed("a1");
  assert.equal(bed.failures, 1);
  await assert.rejects(bed.queue.end(), { message: "a1" });
  assert.deepEqual(bed.begun, ["a1"]);
});
