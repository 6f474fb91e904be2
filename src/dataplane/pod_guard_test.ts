import { strict as assert } from "node:assert";
import { DEFAULT_WORKLOAD } from "../mesh/model/defaults.ts";
import { type Workload, workloadUid } from "../mesh/model/model.ts";
import { type Freshness, MeshState } from "../mesh/state/state.ts";
import { type Ip, parseIp } from "../net/address.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { ListenError, type Network, type UdpAt } from "../net/network.ts";
import { testLog } from "../telemetry/testkit/log.ts";
import { PodGuard } from "./pod_guard.ts";

const NOT_HERE = "its network namespace has none of the workload's addresses (10.0.0.1)";

/** A pod whose namespace 7 has these addresses; it is added while the mesh is current, or `stale`. */
function bed(addresses: readonly string[], freshness: Freshness = "current") {
  const own = new Set<Ip>(addresses.map((text) => parseIp(text)!));
  const checked: string[] = [];
  let open = 0, hasDescriptors = true;
  const memory = new MemoryNetwork();
  const network: Pick<Network, "udp"> = {
    udp(at: UdpAt) {
      assert.equal(at.namespace, 7);
      checked.push(at.address.ip);
      if (!hasDescriptors) throw new ListenError("Too many open files (os error 24)", "EMFILE", at.address);
      if (!own.has(at.address.ip)) throw new ListenError("no", "EADDRNOTAVAIL", at.address);
      open++;
      const inspect = () => ({ listening: true, namespace: null });
      return { local: at.address, send: () => false, retire() {}, close: () => void open--, inspect };
    },
  };
  const state = new MeshState();
  state.setFreshness(freshness);
  const log = testLog();
  let cuts = 0;
  const guard = new PodGuard({
    network: Object.assign(memory, network),
    state,
    namespace: 7,
    addresses: () => [...own],
    log: log.log.scope("ztunnel::proxy"),
    announce: true,
    onContradicted: () => cuts++,
  });
  return {
    own,
    checked,
    state,
    /** The addresses with which the pod is served, or the reason why it is not. */
    identify(found: Workload | null) {
      const identified = guard.identify(found);
      return identified.kind === "known" ? identified.workload.workloadIps.join() : identified.reason;
    },
    cuts() {
      memory.runUntilIdle();
      return cuts;
    },
    setDescriptors(free: boolean) {
      hasDescriptors = free;
    },
    lines: () => log.lines().map((line) => line.split("\t").slice(1).join(" ").trimEnd()),
    open: () => open,
  };
}

function workload(words: Partial<Workload>, ...ips: string[]): Workload {
  return { ...DEFAULT_WORKLOAD, name: "a", workloadIps: ips.map((text) => parseIp(text)!), ...words };
}

Deno.test("one of the workload's addresses is enough, and is checked once", () => {
  const { identify, checked, lines, open } = bed(["fd00::1"]);
  const both = workload({}, "10.0.0.1", "fd00::1");
  assert.equal(identify(both), "10.0.0.1,fd00::1");
  assert.equal(identify({ ...both, canonicalName: "other" }), "10.0.0.1,fd00::1");
  assert.deepEqual(checked, ["10.0.0.1", "fd00::1"]);
  assert.deepEqual(lines(), []);
  assert.equal(open(), 0);
});

Deno.test("none of the addresses: logged once, and once more when it has one", () => {
  const { identify, own, lines, cuts } = bed(["10.0.0.9"]);
  assert.equal(identify(workload({}, "10.0.0.1")), NOT_HERE);
  assert.equal(identify(workload({}, "10.0.0.1")), NOT_HERE);
  own.add(parseIp("10.0.0.1")!);
  assert.equal(identify(workload({}, "10.0.0.1")), "10.0.0.1");
  assert.deepEqual(lines(), [
    `warn proxy nothing is served for this pod yet: ${NOT_HERE}; ` +
    "either it was handed over as another pod, or the mesh is behind",
    "info proxy the pod's network namespace has an address of its workload now: 10.0.0.1",
  ]);
  assert.equal(cuts(), 0);
});

Deno.test("a workload with a new address is checked again", () => {
  const { identify } = bed(["10.0.0.1"]);
  assert.equal(identify(workload({}, "10.0.0.1")), "10.0.0.1");
  assert.match(identify(workload({}, "10.0.0.2"))!, /has none of/);
  assert.equal(identify(workload({}, "10.0.0.1")), "10.0.0.1");
});

Deno.test("no check where there is no address to check", () => {
  const { identify, checked } = bed([]);
  assert.equal(identify(workload({ networkMode: "HostNetwork" }, "10.0.0.1")), "10.0.0.1");
  assert.equal(identify(workload({ hostname: "db.example" })), "");
  assert.deepEqual(checked, []);
});

const SERVED =
  "warn proxy the pod is served as c//Pod/ns/a because the node's agent says so: the control plane has been " +
  "away since before the pod came and last named this workload with the address 10.0.0.1; the pod's own is taken from " +
  "its network namespace: 10.0.0.9. The next answer of the control plane confirms or ends this";
const A = workload({ uid: workloadUid("c//Pod/ns/a") }, "10.0.0.1");

Deno.test("a pod added while the control plane is away is served at its own address until a response confirms it", () => {
  const { identify, state, lines, cuts } = bed(["10.0.0.9"], "stale");
  assert.equal(identify(A), "10.0.0.9");
  assert.equal(identify(A), "10.0.0.9");
  assert.equal(identify(workload({ uid: A.uid }, "10.0.0.9")), "10.0.0.9");
  state.setFreshness("current");
  assert.equal(identify(workload({ uid: A.uid }, "10.0.0.9")), "10.0.0.9");
  assert.deepEqual(lines(), [SERVED, "info proxy the control plane confirms the workload of this pod, at 10.0.0.9"]);
  assert.equal(cuts(), 0);
});

const contradictions: readonly [what: string, found: Workload | null, reason: string | null, text: string][] = [
  ["names the old address still", A, NOT_HERE, NOT_HERE],
  ["names no such workload", null, null, "knows no workload of this name and service account on this node"],
];
for (const [what, found, reason, text] of contradictions) {
  Deno.test(`the control plane ${what}: once its whole response is applied, the pod is no longer served`, () => {
    const { identify, state, lines, cuts } = bed(["10.0.0.9"], "stale");
    assert.equal(identify(A), "10.0.0.9");
    identify(found);
    assert.equal(cuts(), 0);
    state.setFreshness("current");
    assert.equal(identify(found), reason);
    assert.equal(cuts(), 1);
    state.setFreshness("stale");
    assert.equal(identify(A), NOT_HERE);
    assert.equal(cuts(), 1);
    assert.deepEqual(lines().slice(0, 2), [
      SERVED,
      "warn proxy nothing is served for this pod any more, and its connections are cut: the control plane answers " +
      `again, and ${text}`,
    ]);
  });
}

Deno.test("a pod added while the control plane answered is not trusted when the control plane goes away", () => {
  const { identify, state } = bed(["10.0.0.9"]);
  assert.equal(identify(A), NOT_HERE);
  state.setFreshness("stale");
  assert.equal(identify(A), NOT_HERE);
});

Deno.test("the namespace of another workload is not served under a wrong name, with or without a control plane", () => {
  const { identify, state, lines } = bed(["10.0.0.9"], "stale");
  const other = workload({ uid: workloadUid("c//Pod/ns/b") }, "10.0.0.9");
  state.apply([{ kind: "workload", workload: other, endpoints: new Map() }]);
  const reason = "its network namespace has an address of another workload (c//Pod/ns/b, 10.0.0.9)";
  assert.equal(identify(A), reason);
  assert.deepEqual(lines(), [
    `warn proxy nothing is served for this pod yet: ${reason}; the control plane is away and cannot be asked`,
  ]);
});

Deno.test("a namespace without an address is served as soon as it has one", () => {
  const { identify, own } = bed([], "stale");
  assert.equal(identify(A), "its network namespace has no address yet (the workload had 10.0.0.1)");
  own.add(parseIp("10.0.0.9")!);
  assert.equal(identify(A), "10.0.0.9");
});

Deno.test("a pod that is not in the mesh while the control plane is away is logged at once", () => {
  const { identify, state, lines, cuts } = bed(["10.0.0.9"], "stale");
  const reason = "the mesh has no workload of this name and service account on this node, and the control plane is " +
    "away and cannot be asked";
  assert.equal(identify(null), reason);
  assert.equal(identify(null), reason);
  state.setFreshness("current");
  assert.equal(identify(null), null);
  assert.deepEqual(lines(), [`warn proxy nothing is served for this pod yet: ${reason}`]);
  assert.equal(cuts(), 0);
});

const NOT_CHECKED = "it cannot be checked whether its network namespace has one of the workload's addresses: " +
  "Too many open files (os error 24)";

Deno.test("without a free descriptor the check says so, and is repeated", () => {
  const { identify, setDescriptors, lines } = bed(["10.0.0.1"]);
  setDescriptors(false);
  assert.equal(identify(A), NOT_CHECKED);
  assert.equal(identify(A), NOT_CHECKED);
  setDescriptors(true);
  assert.equal(identify(A), "10.0.0.1");
  assert.deepEqual(lines(), [
    `warn proxy nothing is served for this pod yet: ${NOT_CHECKED}; it is checked again with the next connection`,
    "info proxy the pod's network namespace has an address of its workload now: 10.0.0.1",
  ]);
});

Deno.test("a pod served on the agent's word: a response that cannot be checked without a descriptor does not cut it", () => {
  const { identify, state, setDescriptors, cuts } = bed(["10.0.0.9"], "stale");
  const moved = workload({ uid: A.uid }, "10.0.0.9");
  assert.equal(identify(A), "10.0.0.9");
  state.setFreshness("current");
  setDescriptors(false);
  assert.equal(identify(moved), NOT_CHECKED);
  assert.equal(cuts(), 0);
  setDescriptors(true);
  assert.equal(identify(moved), "10.0.0.9");
  assert.equal(cuts(), 0);
});

Deno.test("a pod served on the agent's word: the answer that contradicts it is checked when a descriptor is free", () => {
  const { identify, state, setDescriptors, cuts } = bed(["10.0.0.9"], "stale");
  assert.equal(identify(A), "10.0.0.9");
  state.setFreshness("current");
  setDescriptors(false);
  assert.equal(identify(A), NOT_CHECKED);
  setDescriptors(true);
  assert.equal(identify(A), NOT_HERE);
  assert.equal(cuts(), 1);
});
