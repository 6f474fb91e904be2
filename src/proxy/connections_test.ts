/** `docs/spec/dataplane.md` 5, 10.9. Upstream counts streams of one tunnel as one entry; here each is one. */
import { strict as assert } from "node:assert";
import { authorize, type Call } from "../mesh/policy/authorize.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { EMPTY_MATCH, policyKey } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { policy, socket, stateOf, workload } from "../mesh/testkit/fixture.ts";
import { PORTION } from "../net/in_portions.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { Rounds } from "../net/rounds.ts";
import { testLog } from "../telemetry/testkit/log.ts";
import { makeHboneLoop } from "../hbone/hbone_loop.ts";
import { HostNetwork } from "../hbone/testkit/network.ts";
import { Connections, type ConnectionSummary, type LiveCall } from "./connections.ts";
import { drainConnections, LISTED_PER_TURN } from "./drain.ts";
import type { PodContext } from "./pod_context.ts";
import { type Denial, EVALUATED_PER_TURN } from "./reassessing.ts";

const POD = workload({ name: "pod", namespace: "ns", ips: ["10.0.0.2"], node: "local-node" });
const call = (port: number): Call => ({
  destination: POD.workload,
  source: socket("10.0.0.1:1234"),
  identity: null,
  target: socket(`10.0.0.2:${port}`),
});

class Live implements LiveCall {
  registration = 0;
  readonly isSocket = false;
  readonly way = null;
  readonly forwardedHost = null;
  readonly flow = null;
  readonly isHalfClosed = false;
  readonly log = testLog().log.scope("test");
  summary: ConnectionSummary | null = null;
  readonly cuts: (string | null)[] = [];
  onCut: () => void = () => {};

  constructor(readonly connections: Connections, public call: Call) {
    connections.add(this);
  }

  cut(denial: Denial | null): void {
    this.cuts.push(denial?.message ?? null);
    this.end();
    this.onCut();
  }

  end(): void {
    this.connections.remove(this);
  }
}

function bed() {
  const state: MeshState = stateOf(POD);
  const memory = new MemoryNetwork();
  const cut: Call[] = [];
  const reassessment = {
    reassess(call: Call) {
      const { allow, id } = authorize(state, call);
      if (allow) return null;
      cut.push(call);
      return { message: CHANGED, id };
    },
  };
  const connections = new Connections(state, reassessment, new Rounds(memory));
  /** Applies changes, and everything that follows from them. */
  const apply = (...changes: MeshChange[]) => {
    state.apply(changes);
    memory.runUntilIdle();
  };
  return { state, memory, cut, connections, apply, open: (port: number) => new Live(connections, call(port)) };
}

function deny(port: number) {
  return policy({ name: "deny", action: "Deny", rules: [[[{ ...EMPTY_MATCH, destinationPorts: [port] }]]] });
}

const CHANGED = "connection closed due to policy change";

Deno.test("dataplane CM-01 CM-04, xds X281 to X283, X286 to X288: connections are counted from add to remove", () => {
  const { connections, open } = bed();
  const first = open(80), second = open(80), other = open(443);
  assert.equal(connections.size, 3);
  first.end();
  first.end();
  second.end();
  assert.equal(connections.size, 1);
  other.end();
  assert.equal(connections.size, 0);
});

Deno.test("dataplane CM-02 CM-03, xds X284, X285: a policy cuts all it denies and no other", () => {
  const { apply, connections, open, cut } = bed();
  const first = open(80), second = open(80), other = open(443);
  apply(deny(80));
  assert.deepEqual([first.cuts, second.cuts, other.cuts], [[CHANGED], [CHANGED], []]);
  assert.deepEqual([cut.length, connections.size], [2, 1]);
  apply(deny(443));
  assert.deepEqual([other.cuts, connections.size], [[CHANGED], 0]);
});

Deno.test("a connection that ends while another is cut is neither cut nor reported", () => {
  const { apply, open, cut } = bed();
  const first = open(80), second = open(80);
  first.onCut = () => second.end();
  apply(deny(80));
  assert.deepEqual([first.cuts.length, second.cuts.length, cut.length], [1, 0, 1]);
});

Deno.test("dataplane CM-05 neither a Deny policy without rules nor the removal of a policy cuts a connection", () => {
  const { apply, open } = bed();
  const live = open(80);
  apply(policy({ name: "none", action: "Deny", rules: [] }));
  apply({ kind: "remove-policy", key: policy({ name: "none" }).key });
  assert.deepEqual(live.cuts, []);
});

Deno.test("dataplane CM-05, xds X289: after close policies have no effect", () => {
  const { apply, open, connections } = bed();
  const live = open(80);
  connections.close();
  apply(deny(80));
  assert.deepEqual(live.cuts, []);
});

Deno.test("cutAll: the youngest connection is cut first, each exactly once", () => {
  const { connections, open } = bed();
  const order: number[] = [];
  for (const port of [1, 2, 3]) open(port).onCut = () => order.push(port);
  connections.cutAll(new Rounds(new MemoryNetwork()));
  assert.deepEqual(order, [3, 2, 1]);
});

Deno.test("cutAll: connections are cut in portions, the youngest first; connections that are added meanwhile are cut before the rest", () => {
  const { connections, open } = bed();
  const memory = new MemoryNetwork();
  const order: number[] = [];
  const COUNT = 3 * PORTION + 1;
  const add = (port: number) => void (open(port).onCut = () => order.push(port));
  for (let port = 1; port <= COUNT; port++) add(port);
  let empty = 0;
  connections.whenEmpty(() => empty++);
  connections.cutAll(new Rounds(memory));
  connections.cutAll(new Rounds(memory));
  assert.equal(order.length, PORTION);
  // More new connections than a portion in each turn could delay the end without a limit.
  for (let port = 1000; port < 1000 + 2 * PORTION; port++) add(port);
  memory.step();
  assert.deepEqual(order.slice(PORTION, PORTION + 3), [1031, 1030, 1029]);
  assert.equal(order.length, 4 * PORTION);
  assert.equal(empty, 0);
  memory.runUntilIdle();
  assert.equal(order.at(-1), 1);
  assert.equal(new Set(order).size, COUNT + 2 * PORTION);
  assert.equal(empty, 1);
});

Deno.test("xds 8.1 Q11: when a workload names another policy, its calls are evaluated again, and no others", () => {
  const { apply, connections, open } = bed();
  apply(policy({ ...deny(80).policy, name: "named", scope: "WorkloadSelector" }));
  const live = open(80), other = open(443);
  const named = { ...POD, workload: { ...POD.workload, authorizationPolicies: [policyKey("ns/named")] } };
  apply(named);
  assert.deepEqual([live.cuts, other.cuts, connections.size], [[CHANGED], [], 1]);
  assert.deepEqual(other.call.destination, named.workload);
  apply({ kind: "remove-address", name: POD.workload.uid });
  assert.deepEqual(other.cuts, [], "calls of a removed workload end with its pod");
});

Deno.test("xds 3.3: when a pod gets another uid, its live calls are evaluated by the policies of the new workload", () => {
  const { apply, open } = bed();
  apply(policy({ ...deny(80).policy, name: "named", scope: "WorkloadSelector" }));
  const live = open(80), other = open(443);
  const named = { authorizationPolicies: [policyKey("ns/named")] };
  const again = workload({ name: "pod", namespace: "ns", ips: ["10.0.0.3"], node: "local-node", ...named });
  assert.notEqual(again.workload.uid, POD.workload.uid);
  apply(again);
  assert.deepEqual(live.cuts, [], "the old one is still there, and new calls are judged by it");
  apply({ kind: "remove-address", name: POD.workload.uid });
  assert.deepEqual([live.cuts, other.cuts, other.call.destination], [[CHANGED], [], again.workload]);
});

function drainBed() {
  const host = new HostNetwork(new MemoryNetwork(), 1);
  const log = testLog();
  const context = { loop: makeHboneLoop(host), log: log.log.scope("test") } as unknown as PodContext;
  const lines = () => log.lines().map((line) => line.split("\t").slice(1).join(" "));
  return { ...bed(), host, context, lines, done: 0 };
}

Deno.test("dataplane 5.4 graceful: done when the last connection ends, and the deadline's timer is cancelled", () => {
  const here = drainBed();
  const live = here.open(80);
  drainConnections(here.context, here.connections, "outbound", { kind: "graceful", deadline: 5000 }, () => here.done++);
  here.host.memory.advance(4000);
  assert.equal(here.done, 0);
  live.end();
  assert.equal(here.done, 1);
  assert.equal(here.host.held.timers, 0);
  assert.deepEqual(here.lines(), ['info drain shutdown complete component="outbound"']);
});

Deno.test("dataplane 5.4 graceful: at the deadline the remaining connections are cut", () => {
  const here = drainBed();
  const live = here.open(80);
  drainConnections(here.context, here.connections, "inbound", { kind: "graceful", deadline: 5000 }, () => here.done++);
  here.host.memory.advance(5000);
  assert.deepEqual(live.cuts, [null]);
  assert.equal(here.done, 1);
  assert.deepEqual(here.lines(), [
    'warn drain drain duration expired with pending connections, forcefully shutting down component="inbound"',
    'info drain shutdown complete component="inbound"',
  ]);
});

Deno.test("dataplane 5.4 graceful: at the deadline the connections are listed, some in each turn, and then cut", () => {
  const here = drainBed();
  const live = Array.from({ length: 2 * LISTED_PER_TURN + 1 }, () => here.open(80));
  for (const [index, each] of live.entries()) {
    each.summary = {
      source: socket("10.0.0.1:1234"),
      destination: each.call.target,
      service: index % 2 === 0 ? "shop.example" : null,
      startedAt: 0,
    };
  }
  live[0]!.summary = null;
  drainConnections(
    here.context,
    here.connections,
    "inbound",
    { kind: "graceful", deadline: 90_000 },
    () => here.done++,
  );
  here.host.memory.advance(89_999);
  assert.equal(here.lines().length, 0);
  here.host.memory.advance(1);
  here.host.memory.runUntilIdle();
  assert.equal(here.done, 1);
  assert.ok(live.every(({ cuts }) => cuts.length === 1));
  const oldest = Array(10).fill("10.0.0.1:1234->10.0.0.2:80 90s").join(", ");
  assert.deepEqual(here.lines(), [
    'warn drain drain duration expired with pending connections, forcefully shutting down component="inbound"',
    `warn drain connections that are cut now component="inbound" connections=${2 * LISTED_PER_TURN} ` +
    `services="(no service): ${LISTED_PER_TURN}, shop.example: ${LISTED_PER_TURN}" ages="1m to 10m: ${
      2 * LISTED_PER_TURN
    }" oldest="${oldest}"`,
    'info drain shutdown complete component="inbound"',
  ]);
});

Deno.test("dataplane 5.4 immediate, with and without connections", () => {
  for (const count of [0, 2]) {
    const here = drainBed();
    const live = Array.from({ length: count }, () => here.open(80));
    drainConnections(here.context, here.connections, "socks5", { kind: "immediate" }, () => here.done++);
    assert.equal(here.done, 1);
    assert.ok(live.every(({ cuts }) => cuts.length === 1));
  }
});

Deno.test("cutPresent: existing connections are cut, in portions and the youngest first; later ones are not", () => {
  const { connections, open } = bed();
  const memory = new MemoryNetwork();
  const order: number[] = [];
  for (let port = 1; port <= PORTION + 1; port++) open(port).onCut = () => order.push(port);
  connections.cutPresent(new Rounds(memory));
  open(1000).onCut = () => order.push(1000);
  memory.runUntilIdle();
  assert.equal(order.length, PORTION + 1);
  assert.deepEqual([order[0], order.at(-1), connections.size], [PORTION + 1, 1, 1]);
});

Deno.test("a policy that denies thousands of connections cuts a portion in each turn, the first portion at once", () => {
  const { state, memory, connections, open } = bed();
  const COUNT = 10 * PORTION + 1;
  const live = Array.from({ length: COUNT }, () => open(80));
  const cut = () => live.filter(({ cuts }) => cuts.length > 0).length;
  state.apply([deny(80)]);
  assert.equal(cut(), PORTION);
  for (let turn = 2; turn <= 11; turn++) {
    memory.step();
    assert.equal(cut(), Math.min(COUNT, turn * PORTION));
  }
  assert.equal(connections.size, 0);
});

Deno.test("a policy that allows thousands of connections is evaluated for a portion in each turn", () => {
  const { state, memory, open } = bed();
  for (let i = 0; i < 2 * EVALUATED_PER_TURN; i++) open(80);
  const last = open(443);
  state.apply([deny(443)]);
  memory.step();
  assert.deepEqual(last.cuts, []);
  memory.step();
  assert.deepEqual(last.cuts, [CHANGED]);
});

Deno.test("changes in every turn do not delay the evaluation of the last connections", () => {
  const { state, memory, open } = bed();
  for (let i = 0; i < 2 * EVALUATED_PER_TURN; i++) open(80);
  const last = open(443);
  for (let turn = 0; turn < 3; turn++) {
    state.apply([deny(443), policy({ name: `other${turn}`, action: "Deny", rules: [] })]);
    memory.step();
  }
  assert.deepEqual(last.cuts, [CHANGED]);
});

Deno.test("a change during a pass is applied to connections that were evaluated before it", () => {
  const { state, memory, open } = bed();
  const first = open(80);
  for (let i = 0; i < EVALUATED_PER_TURN; i++) open(443);
  state.apply([policy({ name: "none", action: "Deny", rules: [] })]);
  state.apply([deny(80)]);
  assert.deepEqual(first.cuts, []);
  memory.runUntilIdle();
  assert.deepEqual(first.cuts, [CHANGED]);
});

Deno.test("closed in the middle of a pass: nothing more is cut", () => {
  const { state, memory, connections, open } = bed();
  const live = Array.from({ length: 2 * PORTION }, () => open(80));
  state.apply([deny(80)]);
  connections.close();
  memory.runUntilIdle();
  assert.equal(live.filter(({ cuts }) => cuts.length > 0).length, PORTION);
});
