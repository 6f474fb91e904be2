/** Random walks of `MeshState`, compared with plain maps after each step. */
import { strict as assert } from "node:assert";
import * as fc from "../../../testkit/repeatable.ts";
import type { MeshChange } from "../model/changes.ts";
import { ipv4FromBytes } from "../../net/address.ts";
import { type NamespacedHostname, type Workload, type WorkloadUid, workloadUid } from "../model/model.ts";
import { hashOfAddress, hashOfText } from "../records/text_hash.ts";
import { CHANGES } from "../testkit/arbitrary_mesh.ts";
import { ip, service, workload } from "../testkit/fixture.ts";
import { PlainMesh } from "../testkit/plain_mesh.ts";
import { MeshState } from "./state.ts";

const UIDS = ["a", "b", "z", "é", "cluster//Pod/app/a-1"].map(workloadUid);
const NETWORKS = ["", "net-1", "net-2"];
const IPS = ["10.0.0.1", "10.0.0.2", "fd00::1", "::", "255.255.255.255"].map(ip);

function check(state: MeshState, plain: PlainMesh): void {
  for (const uid of UIDS) assert.deepEqual(state.workload(uid), plain.workloads.get(uid) ?? null);
  let addresses = 0, vips = 0;
  for (const network of NETWORKS) {
    for (const address of IPS) {
      const expected = plain.byAddress(network, address);
      assert.equal(state.workloadByAddress(network, address)?.uid ?? null, expected, `${network}/${address}`);
      if (expected !== null) addresses++;
      const holders = plain.services.filter(({ vips }) =>
        vips.some((vip) => vip.network === network && vip.ip === address)
      );
      const best = holders.findLast(({ canonical }) => canonical) ?? holders[0];
      // Without an exact address a block may contain it.
      if (best !== undefined) assert.equal(state.serviceByVip(network, address, null)?.service.key, best.key);
      if (best !== undefined) vips++;
    }
  }
  for (const expected of plain.services) {
    const entry = state.service(expected.key);
    assert.deepEqual(entry?.service, expected);
    assert.deepEqual([...entry!.endpoints.values()], plain.endpoints(expected.key), expected.key);
    assert.equal(entry!.endpoints.size, plain.endpoints(expected.key).length);
    for (const uid of UIDS) {
      const own = plain.endpoints(expected.key).find(({ workloadUid }) => workloadUid === uid);
      assert.deepEqual(entry!.endpoints.get(uid), own);
      assert.equal(entry!.endpoints.has(uid), own !== undefined);
    }
    const namesakes = plain.services.filter(({ hostname }) => hostname === expected.hostname).map(({ key }) => key);
    assert.deepEqual(state.servicesByHostname(expected.hostname).map((each) => each.service.key), namesakes);
  }
  assert.deepEqual([...state.staged.keys()].sort(), [...plain.staged].sort());
  for (const [key, endpoints] of state.staged) assert.deepEqual([...endpoints.values()], plain.endpoints(key));
  assert.deepEqual([...state.workloads()].map(({ uid }) => uid).sort(), [...plain.workloads.keys()].sort());
  for (const [namespace, name] of [["app", "a"], [null, "server"], ["app", null], ["a b", "ü"]] as const) {
    const named = [...plain.workloads.values()].filter((each) =>
      (namespace === null || each.namespace === namespace) &&
      (name === null || each.name === name || each.workloadName === name)
    );
    assert.deepEqual([...state.workloadsNamed(namespace, name)].map(({ uid }) => uid).sort(), uidsOf(named));
    if (namespace === null) continue;
    const services = plain.services.filter((each) => each.namespace === namespace && each.name === (name ?? each.name));
    const found = [...state.servicesNamed(namespace, name)].map(({ service }) => service.key);
    assert.deepEqual(found.sort(), services.map(({ key }) => key).sort());
  }
  const unready = [...plain.workloads.values()].filter(({ status }) => status === "Unhealthy");
  assert.deepEqual([...state.unhealthyWorkloads()].sort(), uidsOf(unready));
  const { cidrVips: _, ...sizes } = state.sizes;
  const { length: staged } = plain.staged;
  assert.deepEqual(sizes, {
    workloads: plain.workloads.size,
    addresses,
    services: plain.services.length,
    vips,
    staged,
  });
}

function uidsOf(workloads: readonly Workload[]): string[] {
  return workloads.map(({ uid }) => uid).sort();
}

const KEYS = ["", "app", "istio-system", "a b"].flatMap((namespace) =>
  ["a.app.svc.cluster.local", "*.wild.example.com", "ext.example.com", "x"].map((host) => `${namespace}/${host}`)
);
const REMOVAL: fc.Arbitrary<MeshChange> = fc.constantFrom(...UIDS, ...KEYS).map((name) => ({
  kind: "remove-address",
  name,
}));

Deno.test("after any changes the state is that of plain maps", () => {
  const batch = fc.oneof(CHANGES, fc.array(REMOVAL, { maxLength: 6 }));
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 12, size: "max" }), (batches) => {
      const state = new MeshState(), plain = new PlainMesh();
      for (const changes of batches) {
        state.apply(changes);
        for (const change of changes) plain.apply(change);
        check(state, plain);
      }
      state.apply([...UIDS, ...KEYS].map((name) => ({ kind: "remove-address", name })));
      assert.deepEqual(state.sizes, { workloads: 0, addresses: 0, services: 0, vips: 0, cidrVips: 0, staged: 0 });
    }),
    { numRuns: 300 },
  );
});

/** A workload of about a kilobyte, so that a few hundred fill a segment. */
function large(i: number, node: string): MeshChange {
  return workload({
    uid: `uid-${i}`,
    name: "n".repeat(900),
    node,
    ips: [`10.0.${i >> 8}.${i & 255}`],
    services: { [`ns/s${i % 10}`]: { 80: i } },
  });
}

Deno.test("records that are moved to free memory are found as before", () => {
  const state = new MeshState();
  state.apply(Array.from({ length: 10 }, (_, i) => service({ namespace: "ns", hostname: `s${i}` })));
  for (let i = 0; i < 6000; i++) state.apply([large(i, "first")]);
  // Each segment keeps a few workloads.
  for (let i = 0; i < 6000; i++) if (i % 50 !== 7) state.apply([{ kind: "remove-address", name: `uid-${i}` }]);
  assert.ok(state.recordBytes.used < 2 * state.recordBytes.live + 5 * 256 * 1024);
  for (let i = 7; i < 6000; i += 100) state.apply([large(i, "second")]);
  for (let i = 7; i < 6000; i += 50) {
    const found = state.workloadByAddress("", ip(`10.0.${i >> 8}.${i & 255}`));
    assert.equal(found?.uid, `uid-${i}`);
    assert.equal(found.node, (i - 7) % 100 === 0 ? "second" : "first");
    const entry = state.service(`ns/s${i % 10}` as NamespacedHostname)!;
    assert.equal(entry.endpoints.get(`uid-${i}` as WorkloadUid)?.ports.get(80), i);
  }
  assert.equal(state.sizes.workloads, 120);
});

Deno.test("more values than stay decoded are right when they are asked for again, and after they changed", () => {
  const state = new MeshState();
  for (let i = 0; i < 6000; i++) state.apply([workload({ uid: `uid-${i}`, name: `first-${i}` })]);
  const name = (i: number) => state.workload(workloadUid(`uid-${i}`))?.name;
  for (let i = 0; i < 6000; i++) assert.equal(name(i), `first-${i}`);
  const hot = state.workload(workloadUid("uid-3"));
  assert.equal(state.workload(workloadUid("uid-3")), hot, "the same object while it is used");
  for (let i = 0; i < 6000; i += 3) state.apply([workload({ uid: `uid-${i}`, name: `second-${i}` })]);
  for (let i = 0; i < 6000; i++) assert.equal(name(i), i % 3 === 0 ? `second-${i}` : `first-${i}`);
});

Deno.test("a snapshot shows the records of its moment until it is closed", () => {
  const state = new MeshState();
  state.apply([
    workload({ uid: "a", name: "one" }),
    workload({ uid: "b" }),
    service({ namespace: "n", hostname: "h" }),
  ]);
  const { workloads, services } = state.snapshot();
  const names = () => workloads.ids().map((id) => `${workloads.key(id)} ${workloads.value(id).name}`);
  state.apply([workload({ uid: "c" }), workload({ uid: "a", name: "two" }), { kind: "remove-address", name: "b" }]);
  state.apply([workload({ uid: "d", name: "three" }), workload({ uid: "a", name: "four" })]);
  state.apply([{ kind: "remove-address", name: "n/h" }]);
  assert.deepEqual(names(), ["a one", "b "]);
  assert.deepEqual(services.ids().map((id) => services.value(id).key), ["n/h"]);
  state.apply([{ kind: "clear" }]);
  assert.deepEqual(names(), ["a one", "b "]);
  workloads.close();
  services.close();
});

/** The first two texts of a series with equal hashes. */
function collision(textOf: (i: number) => string, hashOf: (text: string) => number): readonly [string, string] {
  const seen = new Map<number, string>();
  for (let i = 0;; i++) {
    const text = textOf(i);
    const other = seen.get(hashOf(text));
    if (other !== undefined) return [other, text];
    seen.set(hashOf(text), text);
  }
}

Deno.test("keys with equal hashes are kept apart", () => {
  const [one, two] = collision((i) => `uid-${i}`, (text) => hashOfText(0, text)).map(workloadUid);
  const address = (i: number) => ipv4FromBytes(new Uint8Array([10, i >> 16, (i >> 8) & 255, i & 255]));
  const [first, second] = collision(address, (text) => hashOfAddress(0, "", text));
  const state = new MeshState();
  const at = (uid: string, address: string) => workload({ uid, ips: [address] });
  const svc = (name: string, address: string) => service({ namespace: "ns", hostname: name, vips: [`/${address}`] });
  const found = () => [first, second].map((each) => state.workloadByAddress("", ip(each))?.uid);
  const services = () => [first, second].map((each) => state.serviceByVip("", ip(each), null)?.service.hostname);
  state.apply([at(one!, first), at(two!, second), svc("a", first), svc("b", second)]);
  assert.deepEqual([found(), services()], [[one, two], ["a", "b"]]);
  assert.deepEqual([state.sizes.addresses, state.sizes.vips], [2, 2]);
  state.apply([at(one!, second), at(two!, first), svc("a", second), svc("b", first)]);
  assert.deepEqual([found(), services()], [[two, one], ["b", "a"]]);
  state.apply([{ kind: "remove-address", name: one! }, { kind: "remove-address", name: "ns/a" }]);
  assert.deepEqual([found(), services()], [[two, undefined], ["b", undefined]]);
  assert.deepEqual([state.workload(one!), state.workload(two!)?.uid], [null, two]);
});
