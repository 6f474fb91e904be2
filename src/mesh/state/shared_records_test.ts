import { strict as assert } from "node:assert";
import type { MeshChange } from "../model/changes.ts";
import { workloadUid } from "../model/model.ts";
import { SEGMENT_BYTES } from "../records/record_memory.ts";
import { ip, service, workload } from "../testkit/fixture.ts";
import { PlainMesh } from "../testkit/plain_mesh.ts";
import { SharedRecords } from "./shared_records.ts";
import { MeshState } from "./state.ts";

const SEED = 9;
const COUNT = 400;

/** What a worker gets at once, and the same changes for plain maps. */
interface Part {
  readonly changes: readonly MeshChange[];
  readonly plain: readonly MeshChange[];
  release(): void;
}

/** Main's side: records of a kilobyte or more, so that segments fill and are used again. */
class Main {
  readonly records = new SharedRecords(SEED);
  #seed = 11;
  #version = 0;

  below(limit: number): number {
    return (this.#seed = (this.#seed * 48271) % 0x7fffffff) % limit;
  }

  /** `removals`: of ten changes. */
  next(removals: number): Part {
    const plain: MeshChange[] = [], changes: MeshChange[] = [];
    for (let i = 0; i < 8; i++) {
      const change = this.#change(removals);
      plain.push(change);
      if (change.kind === "workload" || change.kind === "service") {
        changes.push({ kind: "record", at: this.records.put(change) });
      } else if (change.kind === "remove-address") {
        this.records.remove(change.name);
        changes.push(change);
      }
    }
    for (const moved of this.records.compact()) changes.push({ kind: "moved-record", ...moved });
    const retired = this.records.takeRetired();
    return {
      changes: [...this.records.takeMemory(), ...changes],
      plain,
      release: () => this.records.release(retired),
    };
  }

  #change(removals: number): MeshChange {
    const i = this.below(COUNT);
    const isService = this.below(10) === 0;
    if (this.below(10) < removals) return { kind: "remove-address", name: isService ? `ns/s${i % 40}` : `uid-${i}` };
    const version = ++this.#version;
    if (isService) return service({ namespace: "ns", hostname: `s${i % 40}`, ports: { 80: version % 60_000 } });
    return workload({
      uid: `uid-${i}`,
      name: `${version} ${"n".repeat(1000 + this.below(2000))}`,
      ips: [`10.0.0.${this.below(200)}`],
      services: { [`ns/s${i % 40}`]: { 80: i } },
    });
  }
}

class Reader {
  readonly state = new MeshState(null, null, SEED);
  readonly plain = new PlainMesh();

  apply({ changes, plain }: Part): void {
    this.state.apply(changes);
    for (const change of plain) this.plain.apply(change);
  }

  check(main: Main): void {
    for (let i = 0; i < 10; i++) {
      const uid = workloadUid(`uid-${main.below(COUNT)}`);
      assert.deepEqual(this.state.workload(uid), this.plain.workloads.get(uid) ?? null);
      const address = ip(`10.0.0.${main.below(200)}`);
      assert.equal(this.state.workloadByAddress("", address)?.uid ?? null, this.plain.byAddress("", address));
    }
    const some = this.plain.services[main.below(40)];
    if (some === undefined) return;
    const entry = this.state.service(some.key)!;
    assert.deepEqual([entry.service, [...entry.endpoints.values()]], [some, this.plain.endpoints(some.key)]);
  }
}

Deno.test("random changes: a slow worker reads what its moment says, and memory is used again when it has caught up", () => {
  const main = new Main();
  const fast = new Reader(), slow = new Reader();
  const waiting: Part[] = [];
  for (let round = 0; round < 1500; round++) {
    // Mostly additions at first, then removals, so that segments with few records are left.
    const part = main.next(round % 500 < 300 ? 2 : 8);
    fast.apply(part);
    waiting.push(part);
    while (waiting.length > main.below(12)) {
      const next = waiting.shift()!;
      slow.apply(next);
      next.release();
      slow.check(main);
    }
    fast.check(main);
  }
  for (const part of waiting) {
    slow.apply(part);
    part.release();
  }
  slow.check(main);
  const { used, live } = main.records.bytes;
  assert.ok(used <= 2 * live + 6 * SEGMENT_BYTES, `${used} ${live}`);
  assert.deepEqual(slow.state.sizes, fast.state.sizes);
});
