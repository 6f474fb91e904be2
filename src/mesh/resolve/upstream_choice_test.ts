import { strict as assert } from "node:assert";
import type { MeshChange } from "../model/changes.ts";
import type { ResolutionMode } from "./build_pool.ts";
import { ip, ports, seededRandom, service, stateOf, workload, type WorkloadFields } from "../testkit/fixture.ts";
import { waypointOf } from "./gateway.ts";
import { gateway } from "../testkit/fixture.ts";
import {
  type ApplicationTunnel,
  type LoadBalancer,
  type RoutingScope,
  type WeightedWaypoint,
  workloadUid,
} from "../model/model.ts";
import { chooseEndpoint, findUpstream } from "./upstream_choice.ts";

const KEY = "ns/svc";
const VIP = { ip: ip("10.0.0.1"), port: 80 };
const CLIENT = workload({ name: "client", namespace: "ns", network: "network" }).workload;

interface PortCase {
  readonly id: string;
  readonly service: Record<number, number>;
  readonly endpoint: Record<number, number>;
  readonly tunnel: ApplicationTunnel | null;
  readonly mode: ResolutionMode;
  readonly port: number;
  readonly expected: number | null;
}

const PROXY_15088 = { protocol: "PROXY", port: 15088 } as const;
const PORT_CASES: readonly PortCase[] = [
  {
    id: "xds X147, dataplane SEL-06",
    service: { 80: 0 },
    endpoint: { 80: 9090 },
    tunnel: null,
    mode: "standard",
    port: 80,
    expected: 9090,
  },
  {
    id: "xds X148, dataplane SEL-07",
    service: { 80: 8080 },
    endpoint: {},
    tunnel: null,
    mode: "standard",
    port: 80,
    expected: 8080,
  },
  {
    id: "xds X149, dataplane SEL-08",
    service: { 80: 0 },
    endpoint: {},
    tunnel: PROXY_15088,
    mode: "waypoint",
    port: 80,
    expected: 80,
  },
  { id: "xds X150", service: { 80: 0 }, endpoint: {}, tunnel: null, mode: "standard", port: 80, expected: null },
  { id: "xds X151", service: {}, endpoint: { 80: 9090 }, tunnel: null, mode: "standard", port: 80, expected: null },
  {
    id: "xds X152",
    service: {},
    endpoint: {},
    tunnel: { protocol: "PROXY", port: null },
    mode: "waypoint",
    port: 80,
    expected: null,
  },
  { id: "xds X153", service: {}, endpoint: {}, tunnel: PROXY_15088, mode: "waypoint", port: 15008, expected: 15008 },
  {
    id: "xds X154",
    service: { 80: 8080 },
    endpoint: { 80: 9090 },
    tunnel: null,
    mode: "standard",
    port: 80,
    expected: 9090,
  },
];

for (const { id, service: servicePorts, endpoint, tunnel, mode, port, expected } of PORT_CASES) {
  Deno.test(`${id}: target port`, () => {
    const svc = service({ namespace: "ns", hostname: "svc", vips: ["/10.0.0.1"], ports: servicePorts });
    const state = stateOf(
      svc,
      workload({ ips: ["192.168.0.1"], applicationTunnel: tunnel, services: { [KEY]: endpoint } }),
    );
    const entry = state.service(svc.service.key)!;
    assert.equal(chooseEndpoint(state, entry, CLIENT, port, mode, Math.random, null)?.port ?? null, expected);
  });
}

/** The workloads that a client at (network, region, zone) gets in many choices. */
function selection(balancer: LoadBalancer | null, place: readonly string[], changes: readonly MeshChange[]): string[] {
  const svc = service({
    namespace: "ns",
    hostname: "svc",
    vips: [`${place[0]}/10.0.0.1`],
    ports: { 80: 80 },
    loadBalancer: balancer,
  });
  const unknown = { workloadUid: workloadUid("unknown"), ports: ports({ 80: 80 }), status: "Healthy" } as const;
  const state = stateOf({ ...svc, endpoints: [unknown] }, ...changes);
  const [network = "", region = "", zone = "", node = ""] = place;
  const source = workload({ namespace: "ns", network, node, locality: { region, zone, subzone: "" } }).workload;
  const random = seededRandom();
  const names = new Set<string>();
  for (let i = 0; i < 500; i++) {
    const found = findUpstream(state, network, source, VIP, "standard", random, null);
    if (found !== null) names.add(found.workload.name);
  }
  const traced = findUpstream(state, network, source, VIP, "standard", random, []);
  assert.ok(traced === null ? names.size === 0 : names.has(traced.workload.name), "explaining changes nothing");
  return [...names];
}

function at(name: string, network: string, region: string, zone: string, fields: WorkloadFields = {}): MeshChange {
  return workload({
    name,
    uid: name,
    network,
    locality: { region, zone, subzone: "" },
    ips: [`192.168.0.${name.length}`],
    services: { [KEY]: { 80: 80 } },
    ...fields,
  });
}

const ENDPOINTS = [
  at("match", "network", "reg", "zone"),
  at("almost", "network", "reg", "not-zone"),
  at("no_locality", "network", "", ""),
  at("other", "other", "reg", "zone"),
  at("empty_ip", "network", "reg", "zone", { ips: [] }),
];

function prefer(mode: LoadBalancer["mode"], ...routingPreferences: RoutingScope[]): LoadBalancer {
  return { mode, routingPreferences, healthPolicy: "OnlyHealthy" };
}

const STRICT = prefer("Strict", "Network", "Region", "Zone");
const FAILOVER = prefer("Failover", "Network", "Region", "Zone");
const ALL = ["match", "almost", "no_locality", "other"];
const LOCALITY_CASES: readonly [string, LoadBalancer | null, string[], string[]][] = [
  ["xds X155, dataplane SEL-09", STRICT, ["", "", ""], []],
  ["xds X156, dataplane SEL-10", STRICT, ["network", "reg", "zone"], ["match"]],
  ["xds X157, dataplane SEL-11", FAILOVER, ["no-match", "no-match", "no-match"], ALL],
  ["xds X158, dataplane SEL-12", FAILOVER, ["network", "reg", "zone"], ["match"]],
  ["xds X159, dataplane SEL-13", FAILOVER, ["network", "reg", ""], ["match", "almost"]],
  ["xds X160, dataplane SEL-14", FAILOVER, ["network", "no-match", "no-match"], ["match", "almost", "no_locality"]],
  ["xds X161, dataplane SEL-15", FAILOVER, ["no-match", "reg", "zone"], ["match", "other"]],
  // Two empty names are equal, so a client without region and zone prefers endpoints without a locality.
  ["xds X162", FAILOVER, ["", "", ""], ["no_locality"]],
  ["xds X163", null, ["network", "reg", "zone"], ALL],
  ["xds X163, standard mode", prefer("Standard", "Zone"), ["network", "reg", "zone"], ALL],
  ["xds X164", prefer("Failover", "Zone"), ["network", "elsewhere", "zone"], ["match", "other"]],
  ["xds X165", prefer("Strict", "Node"), ["network", "reg", "zone", "my-node"], []],
  ["xds 4.5, failover without preferences", prefer("Failover"), ["network", "reg", "zone"], ALL],
  ["xds 4.5, strict without preferences", prefer("Strict"), ["network", "reg", "zone"], ALL],
];

for (const [id, balancer, place, expected] of LOCALITY_CASES) {
  Deno.test(`${id}: locality`, () => {
    assert.deepEqual(selection(balancer, place, ENDPOINTS).sort(), [...expected].sort());
  });
}

Deno.test("xds 4.5: cluster, subzone and node count as well", () => {
  const near = at("near", "network", "reg", "zone", { node: "n1" });
  const far = at("farther", "network", "reg", "zone", { node: "n2" });
  const place = ["network", "reg", "zone", "n1"];
  assert.deepEqual(selection(prefer("Failover", "Cluster", "Subzone", "Node"), place, [near, far]), ["near"]);
});

/** The share of draws that `name` gets. */
function share(name: string, capacities: Record<string, number>): number {
  const svc = service({ namespace: "ns", hostname: "svc", vips: ["network/10.0.0.1"], ports: { 80: 80 } });
  const pods = Object.entries(capacities).map(([each, capacity]) => at(each, "network", "", "", { capacity }));
  const state = stateOf(svc, ...pods);
  const random = seededRandom(7);
  let hits = 0;
  for (let i = 0; i < 10_000; i++) {
    const found = findUpstream(state, "network", CLIENT, VIP, "standard", random, null);
    if (found?.workload.name === name) hits++;
  }
  return hits / 10_000;
}

Deno.test("xds X166 to X168: capacity is weight", () => {
  assert.ok(Math.abs(share("b", { a: 1, b: 3 }) - 0.75) < 0.02);
  assert.equal(share("b", { a: 0, b: 5 }), 1);
  assert.equal(share("a", { a: 0, b: 0 }), 0);
  assert.equal(share("b", { a: 0, b: 0 }), 0);
  assert.ok(Math.abs(share("c", { a: 1, b: 1, c: 1, d: 1 }) - 0.25) < 0.02);
});

Deno.test("xds 4.6: where the nearest endpoints have capacity 0, farther ones are not used", () => {
  const near = at("near", "network", "reg", "zone", { capacity: 0 });
  const far = at("farther", "network", "reg", "other");
  assert.deepEqual(selection(prefer("Failover", "Zone"), ["network", "reg", "zone"], [near, far]), []);
});

Deno.test("xds 3.5: a choice uses the current value of the workload", () => {
  const svc = service({ namespace: "ns", hostname: "svc", vips: ["network/10.0.0.1"], ports: { 80: 80 } });
  const state = stateOf(svc, at("a", "network", "", ""));
  const port = () => findUpstream(state, "network", CLIENT, VIP, "standard", Math.random, null);
  assert.equal(port()?.workload.capacity, 1);
  state.apply([at("a", "network", "", "", { capacity: 9 })]);
  assert.equal(port()?.workload.capacity, 9);
  state.apply([{ kind: "remove-address", name: "a" }]);
  assert.equal(port(), null);
  state.apply([at("b", "network", "", "")]);
  assert.equal(port()?.workload.name, "b");
});

const A = gateway("ns/a");
const B = gateway("ns/b");
const PLAIN = gateway("ns/plain");

/** The share of draws that get waypoint a; null where some draw got the plain waypoint or none. */
function shareOfA(weights: readonly number[]): number | null {
  const weightedWaypoints: WeightedWaypoint[] = weights.map((weight, i) => ({ destination: i === 0 ? A : B, weight }));
  const { service: value } = service({ namespace: "ns", hostname: "svc", weightedWaypoints, waypoint: PLAIN });
  const random = seededRandom(3);
  let hits = 0;
  for (let i = 0; i < 10_000; i++) {
    const waypoint = waypointOf(value, random, null);
    if (waypoint === PLAIN) return null;
    if (waypoint === A) hits++;
  }
  return hits / 10_000;
}

Deno.test("xds X170 to X174, dataplane SEL-01 to SEL-05: weighted waypoints", () => {
  assert.equal(shareOfA([]), null);
  assert.equal(shareOfA([100, 0]), 1);
  assert.equal(shareOfA([0, 100]), 0);
  assert.equal(shareOfA([0, 0]), null);
  const most = shareOfA([75, 25])!;
  assert.ok(most > 0.7 && most < 0.8);
  const { service: none } = service({ namespace: "ns", hostname: "svc" });
  assert.equal(waypointOf(none, Math.random, null), null);
});
