import { strict as assert } from "node:assert";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { istio } from "../../../testkit/gen/resources.js";
import { makeMesh, serviceResource, workloadResource } from "../../../testkit/mesh_resources.ts";
import { MESH_SECTIONS, MeshDump } from "../../mesh/dump/sections.ts";
import { MeshState } from "../../mesh/state/state.ts";
import { ResourceDecoder } from "../../xds/decode.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceBatch } from "../../xds/resources.ts";
import { batchOf, FeedBed } from "../testkit/feed.ts";

const BAD = Uint8Array.of(0xff);
const NOTHING = new Uint8Array(0);

/** Lets promises of the feed go on. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function dumpOf(state: MeshState): string {
  const dump = new MeshDump(state);
  return MESH_SECTIONS.map((name) => [...dump.pieces(name)].join("")).join("\n");
}

/** What a state is to be after these batches. */
function expected(...batches: ResourceBatch[]): string {
  const state = new MeshState();
  const decoder = new ResourceDecoder(16);
  for (const { type, changed, removed } of batches) {
    for (const { name, body } of changed) {
      const decoded = decoder.decode(type, name, body);
      if (decoded.ok) state.apply([decoded.change]);
    }
    for (const name of removed) {
      state.apply([
        type === ADDRESS_TYPE ? { kind: "remove-address", name } : { kind: "remove-policy", key: name as never },
      ]);
    }
  }
  return dumpOf(state);
}

Deno.test("a small batch is applied at once, in all workers, before the call returns", async () => {
  const bed = new FeedBed(2);
  const batch = batchOf(ADDRESS_TYPE, [workloadResource(0, 1), serviceResource(0)]);
  let returned = false;
  const done = bed.feed.apply(batch).then(() => returned = true);
  await settle();
  assert.ok(returned, "no turn of a worker's loop was needed");
  await done;
  for (const worker of bed.workers) {
    assert.deepEqual(worker.batches, [2]);
    assert.equal(dumpOf(worker.state), expected(batch));
  }
  assert.deepEqual(bed.workloads.map(({ uid }) => uid), [batch.changed[Symbol.iterator]().next().value!.name]);
});

Deno.test("xds X60, X108: what cannot be used is told, the unacceptable before the malformed, and costs only itself", async () => {
  const bed = new FeedBed();
  const batch = batchOf(ADDRESS_TYPE, [
    { name: "b", body: BAD },
    workloadResource(0, 1),
    { name: "a", body: NOTHING },
    serviceResource(0),
    { name: "c", body: BAD },
    { name: "d", body: NOTHING },
  ]);
  assert.deepEqual(await bed.feed.apply(batch), [
    { name: "a", reason: "unknown address type" },
    { name: "d", reason: "unknown address type" },
    { name: "b", reason: "decode: field 0 is cut off" },
    { name: "c", reason: "decode: field 0 is cut off" },
  ]);
  assert.equal(dumpOf(bed.workers[0]!.state), expected(batch));
});

Deno.test("a batch of which nothing is left needs no worker", async () => {
  const bed = new FeedBed();
  assert.equal((await bed.feed.apply(batchOf(ADDRESS_TYPE, [{ name: "a", body: BAD }]))).length, 1);
  assert.deepEqual(await bed.feed.apply(batchOf(AUTHORIZATION_TYPE, [])), []);
  assert.deepEqual(bed.workers[0]!.parts, []);
});

const LARGE = makeMesh({ workloads: 4000, services: 800, policies: 2000 });

Deno.test("a large batch goes in parts, a few at a time, to the slowest worker", async () => {
  const bed = new FeedBed(2);
  const [fast, slow] = bed.workers as [FeedBed["workers"][0], FeedBed["workers"][0]];
  const batch = batchOf(ADDRESS_TYPE, LARGE.addresses);
  let returned = false;
  const done = bed.feed.apply(batch).then(() => returned = true);
  let most = 0;
  for (let rounds = 0; !returned; rounds++) {
    assert.ok(rounds < 10_000, "it goes on for ever");
    most = Math.max(most, slow.parts.length - slow.applied.length);
    fast.run();
    await settle();
    assert.ok(fast.parts.length - slow.applied.length <= 8, "the fast one waits for the slow one");
    slow.turn();
    await settle();
  }
  await done;
  assert.equal(most, 8);
  assert.ok(slow.parts.length > 16);
  assert.deepEqual(slow.applied, slow.parts.map(({ sequence }) => sequence));
  assert.deepEqual(slow.parts.map(({ first }) => first).filter(Boolean), [true]);
  assert.deepEqual(slow.parts.map(({ last }) => last).filter(Boolean), [true]);
  for (const worker of bed.workers) assert.equal(dumpOf(worker.state), expected(batch));
});

Deno.test("policies are applied all at once, however many", async () => {
  const bed = new FeedBed();
  const [worker] = bed.workers as [FeedBed["workers"][0]];
  await bed.apply(batchOf(AUTHORIZATION_TYPE, LARGE.policies));
  assert.ok(worker.parts.length > 4);
  assert.deepEqual(worker.batches, [2000]);
  const memories = new Set(worker.parts.map((part) => part.type === AUTHORIZATION_TYPE && part.memory));
  assert.ok(memories.size <= 10, "memory is used again");
  assert.equal(bed.infos.length, 2000);
  assert.equal(bed.infos[1], "handling RBAC update allow-1");
  await bed.apply(batchOf(AUTHORIZATION_TYPE, [], LARGE.policies.map(({ name }) => name)));
  assert.deepEqual(worker.batches, [2000, 2000]);
  assert.equal(bed.infos[2001], `handling RBAC delete ${LARGE.policies[1]!.name}`);
  assert.equal([...worker.state.policies()].length, 0);
});

/** A policy with one name and this scope. */
function policy(scope: istio.security.Scope): { name: string; body: Uint8Array } {
  return { name: "ns/p", body: istio.security.Authorization.encode({ name: "p", namespace: "ns", scope }).finish() };
}

Deno.test("policies are in force before workloads that were sent before them", async () => {
  const bed = new FeedBed();
  const [worker] = bed.workers as [FeedBed["workers"][0]];
  const addresses = bed.feed.apply(batchOf(ADDRESS_TYPE, LARGE.addresses));
  await settle();
  const policies = bed.feed.apply(
    batchOf(AUTHORIZATION_TYPE, LARGE.policies.slice(0, 10), [], addresses.then(() => {})),
  );
  assert.deepEqual(await policies, []);
  assert.equal([...worker.state.policies()].length, 10);
  assert.ok(worker.state.sizes.workloads < 4000);
  await bed.run(addresses);
  assert.equal(worker.state.sizes.workloads, 4000);
});

for (
  const [what, changed, removed] of [
    ["a removal", [], ["ns/p"]],
    ["a policy that now holds for the workloads that name it", [policy(istio.security.Scope.WORKLOAD_SELECTOR)], []],
    ["the last of two versions", [
      policy(istio.security.Scope.WORKLOAD_SELECTOR),
      policy(istio.security.Scope.NAMESPACE),
    ], ["ns/q"]],
  ] as const
) {
  Deno.test(`${what} waits for earlier workloads, and other policies of the response do not`, async () => {
    const bed = new FeedBed();
    const [worker] = bed.workers as [FeedBed["workers"][0]];
    const old = policy(istio.security.Scope.NAMESPACE);
    const other = { ...old, name: "ns/other" };
    await bed.apply(batchOf(AUTHORIZATION_TYPE, [old]));
    const earlier = Promise.withResolvers<void>();
    const applied = bed.feed.apply(batchOf(AUTHORIZATION_TYPE, [...changed, other], removed, earlier.promise));
    await settle();
    const scopes = () => [...worker.state.policies()].map(({ key, policy }) => [key, policy.scope]);
    assert.deepEqual(scopes(), [["ns/p", "Namespace"], ["ns/other", "Namespace"]]);
    earlier.resolve();
    await applied;
    const last = changed.at(-1);
    const expected = last === undefined ? [] : [["ns/p", last === changed[0] ? "WorkloadSelector" : "Namespace"]];
    assert.deepEqual(scopes().filter(([key]) => key === "ns/p"), expected);
  });
}

Deno.test("a resource that is larger than a part has one of its own", async () => {
  const bed = new FeedBed();
  const principals = Array.from({ length: 5000 }, (_, i) => ({ exact: `cluster.local/ns/shop/sa/account-${i}` }));
  const body = istio.security.Authorization.encode({
    name: "large",
    namespace: "ns",
    rules: [{ clauses: [{ matches: [{ principals }] }] }],
  }).finish();
  const small = LARGE.policies[1]!;
  await bed.apply(batchOf(AUTHORIZATION_TYPE, [small, { name: "ns/large", body }, { ...small, name: "x/y" }]));
  assert.deepEqual([...bed.workers[0]!.state.policies()].map(({ key }) => key), [small.name, "ns/large", "x/y"]);
  assert.deepEqual(
    bed.workers[0]!.parts.map((part) => part.type === AUTHORIZATION_TYPE && part.memory.byteLength > 65536),
    [false, true, false],
  );
});

Deno.test("main lets others run while it works through a large batch", async () => {
  const bed = new FeedBed();
  bed.tick = 1;
  await bed.apply(batchOf(ADDRESS_TYPE, LARGE.addresses));
  // One look at the clock for 16 resources, and others after 10 ms.
  assert.ok(bed.turns >= 4800 / 16 / 11 - 1, `${bed.turns} turns`);
});

Deno.test("dataplane 1.5: a service's name that is no SPIFFE id is told when the service comes", async () => {
  const bed = new FeedBed();
  const body = istio.workload.Address.encode({
    service: { namespace: "ns", hostname: "h", subjectAltNames: ["spiffe://td/ns/n/sa/s", "https://x"] },
  }).finish();
  await bed.feed.apply(batchOf(ADDRESS_TYPE, [{ name: "ns/h", body }]));
  assert.deepEqual(bed.warnings, [
    "ignoring invalid SAN https://x of service ns/h: it must be a SPIFFE id, spiffe://...",
  ]);
});

Deno.test("fuzz: whatever comes, the workers have what the control plane said", async () => {
  const resources = [0, 1, 2].flatMap((i) => [workloadResource(i, 2), workloadResource(i, 1, 2), serviceResource(i)]);
  const broken = resources.map(({ name }) => ({ name, body: BAD }));
  const some = fc.array(fc.constantFrom(...resources, ...broken), { maxLength: 12 });
  const names = fc.array(fc.constantFrom(...resources.map(({ name }) => name)), { maxLength: 4 });
  const batches = fc.array(fc.tuple(some, names), { maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(batches, async (list) => {
      const bed = new FeedBed(2);
      const sent = list.map(([changed, removed]) => batchOf(ADDRESS_TYPE, changed, removed));
      for (const batch of sent) await bed.feed.apply(batch);
      for (const { state } of bed.workers) assert.equal(dumpOf(state), expected(...sent));
    }),
    { numRuns: 200 },
  );
});
