import { strict as assert } from "node:assert";
import { makeMesh } from "../../testkit/mesh_resources.ts";
import { SharedRecords } from "../mesh/state/shared_records.ts";
import { MeshState } from "../mesh/state/state.ts";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import { ResourceDecoder } from "../xds/decode.ts";
import { PartWriter, type ResourcePart } from "../xds/resource_part.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "../xds/resources.ts";
import { MeshUpdates } from "./mesh_updates.ts";

const { addresses: RESOURCES, policies: POLICIES } = makeMesh({ workloads: 100, services: 20, policies: 60 });

const RECORDS = new SharedRecords(0);
const DECODER = new ResourceDecoder(64);
/** What main has written. */
const PLACES = RESOURCES.map(({ name, body }) => {
  const decoded = DECODER.decode(ADDRESS_TYPE, name, body);
  assert.ok(decoded.ok && (decoded.change.kind === "workload" || decoded.change.kind === "service"));
  return RECORDS.put(decoded.change);
});
const MEMORY = RECORDS.takeMemory();

/** All resources, as part of a larger batch. */
function part(sequence: number, first: boolean, last: boolean): ResourcePart {
  const steps = Uint32Array.from(PLACES.flatMap((at) => [at, 0]));
  return { sequence, type: ADDRESS_TYPE, memory: [], steps, removed: [], first, last };
}

function policyPart(
  sequence: number,
  resources: readonly { readonly name: string; readonly body: Uint8Array | null }[],
  first = true,
  last = true,
): ResourcePart {
  const writer = new PartWriter(new SharedArrayBuffer(64 * 1024));
  for (const { name, body } of resources) assert.ok(writer.add(name, body));
  const { memory, length } = writer;
  return { sequence, type: AUTHORIZATION_TYPE, memory, length, first, last };
}

interface Bed {
  readonly updates: MeshUpdates;
  readonly scheduler: MemoryScheduler;
  readonly state: MeshState;
  readonly applied: number[];
  readonly errors: string[];
  /** How many resources were applied. */
  changes: number;
  /** How many arrivals the loop has in each turn. */
  arriving: number;
}

/** Each reading of the clock takes 1/16 ms. */
function bed(): Bed {
  let looks = 0;
  let arrivals = 0;
  const scheduler = new MemoryScheduler();
  const state = new MeshState();
  state.apply(MEMORY);
  const here: Bed = {
    scheduler,
    state,
    applied: [],
    errors: [],
    changes: 0,
    arriving: 0,
    updates: new MeshUpdates({
      scheduler: {
        after: (delay, run) => scheduler.after(delay, run),
        nextTurn: (task) => {
          arrivals += here.arriving;
          scheduler.nextTurn(task);
        },
      },
      apply: (changes) => {
        here.changes += changes.length;
        state.apply(changes);
      },
      onApplied: (sequence) => here.applied.push(sequence),
      onError: (text) => here.errors.push(text),
      now: () => scheduler.now() + ++looks / 16,
      arrivals: () => arrivals,
    }),
  };
  return here;
}

function progress({ state: { sizes } }: Bed): number {
  return sizes.workloads + sizes.services;
}

Deno.test("a large batch is applied in slices, one a turn, while the loop has nothing else to do", () => {
  const here = bed();
  here.updates.receive(part(1, true, false));
  assert.equal(progress(here), 0);
  const steps: number[] = [];
  while (here.scheduler.busy) {
    const before = progress(here);
    here.scheduler.step();
    steps.push(progress(here) - before);
  }
  // Eight between two readings of the clock, eight readings in half a millisecond.
  assert.deepEqual(steps, [64, 56]);
  assert.equal(progress(here), RESOURCES.length);
  assert.deepEqual(here.applied, [1]);
});

Deno.test("a slice is followed by a pause 31 times as long where the loop has arrivals", () => {
  const here = bed();
  here.arriving = 1;
  here.updates.receive(part(1, true, false));
  here.scheduler.runUntilIdle();
  assert.equal(progress(here), 64);
  here.scheduler.advance(15.4);
  assert.equal(progress(here), 64);
  here.scheduler.advance(0.2);
  assert.equal(progress(here), 120);
  assert.deepEqual(here.applied, [1]);
});

Deno.test("a few arrivals cause one pause, and arrivals during the pause cause none", () => {
  const here = bed();
  here.arriving = 1;
  for (let i = 1; i <= 4; i++) here.updates.receive(part(i, i === 1, i === 4));
  here.scheduler.runUntilIdle();
  assert.equal(here.changes, 64);
  here.scheduler.advance(15.5);
  here.scheduler.runUntilIdle();
  // Two slices with an arrival between them; the first one is longer by a reading of the clock, as it has waited.
  assert.equal(here.changes, 200);
});

Deno.test("the loop counts as busy for some time after many arrivals", () => {
  const here = bed();
  here.arriving = 31;
  for (let i = 1; i <= 4; i++) here.updates.receive(part(i, i === 1, i === 4));
  here.scheduler.runUntilIdle();
  here.arriving = 0;
  const seen = [here.changes];
  for (let pause = 0; pause < 2; pause++) {
    here.scheduler.advance(15.5);
    seen.push(here.changes);
  }
  // Half a part each, and 31 ms later the rest without a pause.
  assert.deepEqual(seen, [64, 128, 480]);
});

Deno.test("parts are applied in their order, one after the other", () => {
  const here = bed();
  here.updates.receive(part(1, true, false));
  here.updates.receive(part(2, false, true));
  here.updates.receive(part(3, true, true));
  assert.deepEqual(here.applied, []);
  here.scheduler.runUntilIdle();
  assert.deepEqual(here.applied, [1, 2, 3]);
  assert.equal(progress(here), RESOURCES.length);
});

Deno.test("a policy that cannot be decoded is reported, and the others are applied", () => {
  const here = bed();
  const writer = new PartWriter(new SharedArrayBuffer(1000));
  writer.add("bad", Uint8Array.of(0xff));
  writer.add(POLICIES[0]!.name, POLICIES[0]!.body);
  const { memory, length } = writer;
  here.updates.receive({ sequence: 1, type: AUTHORIZATION_TYPE, memory, length, first: true, last: true });
  assert.deepEqual(here.errors, ["bad: decode: field 0 is cut off"]);
  assert.equal([...here.state.policies()].length, 1);
  assert.deepEqual(here.applied, [1]);
});

Deno.test("a policy is applied at once while workloads wait for a pause to end", () => {
  const here = bed();
  here.arriving = 31;
  for (let i = 1; i <= 4; i++) here.updates.receive(part(i, i === 1, i === 4));
  here.scheduler.runUntilIdle();
  here.updates.receive(policyPart(5, POLICIES.slice(0, 2)));
  assert.deepEqual(here.applied, [5]);
  assert.equal([...here.state.policies()].length, 2);
  here.updates.receive(policyPart(6, [{ name: POLICIES[0]!.name, body: null }]));
  assert.deepEqual(here.applied, [5, 6]);
  assert.equal([...here.state.policies()].length, 1);
  here.arriving = 0;
  here.scheduler.advance(1000);
  assert.deepEqual(here.applied, [5, 6, 1, 2, 3, 4]);
});

Deno.test("many policies are decoded in slices without pauses, and applied together", () => {
  const here = bed();
  here.arriving = 31;
  for (let i = 1; i <= 4; i++) here.updates.receive(part(i, i === 1, i === 4));
  here.scheduler.runUntilIdle();
  const before = here.changes;
  here.updates.receive(policyPart(5, POLICIES.slice(0, 30), true, false));
  here.updates.receive(policyPart(6, POLICIES.slice(30), false, true));
  const steps: number[] = [];
  while (here.scheduler.busy) {
    here.scheduler.step();
    steps.push(here.changes - before);
  }
  assert.deepEqual(steps, [0, 60], "all of them in the second turn");
  assert.deepEqual(here.applied, [5, 6]);
});
