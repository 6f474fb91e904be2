import { strict as assert } from "node:assert";
import type { MeshChange } from "../model/changes.ts";
import { gateway, ip, seededRandom, service, workload } from "../testkit/fixture.ts";
import {
  GATEWAY,
  LOCAL_HBONE,
  mesh,
  pod,
  REMOTE_POD,
  request,
  route,
  SOURCE,
  summary,
  SVC,
  svcA,
} from "../testkit/outbound_fixture.ts";
import { resolveOutbound } from "./outbound.ts";

const NETWORK_FAILOVER = {
  loadBalancer: { routingPreferences: ["Network"], mode: "Failover", healthPolicy: "OnlyHealthy" },
} as const;
const DUAL_POD = pod({ ips: ["127.0.0.2", "ff06::c3"], protocol: "HBONE", services: { [SVC]: { 80: 80 } } });
const DUAL_VIPS = { vips: ["/127.0.0.3", "/::3"], ports: { 80: 80 } };
const NAMED_PORTS = [
  svcA({ ports: { 80: 0, 8080: 0 } }),
  pod({ name: "a", ips: ["127.0.0.2"], services: { [SVC]: { 80: 1234 } } }),
  pod({ name: "b", ips: ["127.0.0.4"], services: { [SVC]: { 8080: 9999 } } }),
];
const HOST_NETWORK = [
  svcA({ ports: { 80: 80 } }),
  pod({
    uid: "pod1",
    name: "pod1",
    ips: ["127.0.0.2"],
    networkMode: "HostNetwork",
    services: { [SVC]: { 80: 80 } },
  }),
  pod({ uid: "pod2", name: "pod2", ips: ["127.0.0.2"], networkMode: "HostNetwork" }),
];
const PASSTHROUGH = {
  vips: ["/1.2.3.4", "/1.5.6.7"],
  loadBalancer: { routingPreferences: [], mode: "Passthrough", healthPolicy: "AllowAll" },
} as const;

interface Case {
  readonly id: string;
  readonly mesh: readonly MeshChange[];
  readonly from?: string;
  readonly target: string;
  readonly expected: string;
  readonly destination?: string | null;
}

const NO_GATEWAY = "no valid routing destination for workload: Workload{pod with uid p (TCP)}";
const CASES: readonly Case[] = [
  {
    id: "dataplane OB-01, xds X175: unknown destination",
    mesh: [pod({ ips: ["127.0.0.2"] })],
    target: "1.2.3.4:80",
    expected: "TCP / – / 1.2.3.4:80",
    destination: null,
  },
  {
    id: "dataplane OB-02, xds X176: only endpoint is remote without a gateway",
    mesh: [svcA(), pod({ uid: "p", network: "remote", ips: ["10.0.0.2"], services: { [SVC]: {} } })],
    target: "127.0.0.3:80",
    expected: NO_GATEWAY,
  },
  {
    id: "dataplane OB-03, xds X177: gateway by address",
    mesh: [svcA(), REMOTE_POD, GATEWAY],
    target: "127.0.0.3:80",
    expected: "DOUBLEHBONE / example.com:80 / 10.22.1.1:15009",
  },
  {
    id: "dataplane OB-04, xds X178: gateway by hostname",
    mesh: [
      svcA(),
      pod({
        network: "remote",
        networkGateway: gateway("ns/ew-gtw", 15009),
        services: { [SVC]: { 80: 8080 } },
      }),
      service({ namespace: "ns", hostname: "ew-gtw", vips: ["/127.0.0.4"], ports: { 15009: 15009 } }),
      workload({
        name: "ew-gtw",
        namespace: "ns",
        network: "remote",
        ips: ["127.0.0.5"],
        services: { "ns/ew-gtw": { 15009: 15008 } },
      }),
    ],
    target: "127.0.0.3:80",
    expected: "DOUBLEHBONE / example.com:80 / 127.0.0.5:15008",
  },
  {
    id: "dataplane OB-05, xds X179: service waypoint on another network",
    mesh: [
      svcA({ waypoint: gateway("ns/waypoint.com") }),
      service({ namespace: "ns", hostname: "waypoint.com", vips: ["/127.0.0.7"], ports: { 15008: 15008 } }),
      workload({
        name: "remote-waypoint",
        namespace: "ns",
        network: "remote",
        networkGateway: gateway("remote/10.22.1.1", 15009),
        services: { "ns/waypoint.com": { 15008: 15008 } },
      }),
      GATEWAY,
    ],
    target: "127.0.0.3:80",
    expected: "DOUBLEHBONE / example.com:80 / 10.22.1.1:15009",
  },
  {
    id: "dataplane OB-06, xds X180: local network first",
    mesh: [svcA(NETWORK_FAILOVER), LOCAL_HBONE, REMOTE_POD, GATEWAY],
    target: "127.0.0.3:80",
    expected: "HBONE / 127.0.0.2:8080 / 127.0.0.2:15008",
  },
  {
    id: "dataplane OB-07, xds X181: local endpoint unhealthy",
    mesh: [
      svcA(NETWORK_FAILOVER),
      pod({
        name: "local",
        ips: ["127.0.0.2"],
        protocol: "HBONE",
        status: "Unhealthy",
        services: { [SVC]: { 80: 8080 } },
      }),
      REMOTE_POD,
      GATEWAY,
    ],
    target: "127.0.0.3:80",
    expected: "DOUBLEHBONE / example.com:80 / 10.22.1.1:15009",
  },
  {
    id: "dataplane OB-08, xds X182: TCP pod of another node",
    mesh: [pod({ ips: ["127.0.0.2"] })],
    target: "127.0.0.2:80",
    expected: "TCP / – / 127.0.0.2:80",
  },
  {
    id: "dataplane OB-09, xds X183: HBONE pod of another node",
    mesh: [pod({ ips: ["127.0.0.2"], protocol: "HBONE" })],
    target: "127.0.0.2:80",
    expected: "HBONE / 127.0.0.2:80 / 127.0.0.2:15008",
  },
  {
    id: "dataplane OB-10, xds X184: TCP pod of this node",
    mesh: [pod({ ips: ["127.0.0.2"], node: "local-node" })],
    target: "127.0.0.2:80",
    expected: "TCP / – / 127.0.0.2:80",
  },
  {
    id: "dataplane OB-11, xds X185: HBONE pod of this node",
    mesh: [pod({ ips: ["127.0.0.2"], protocol: "HBONE", node: "local-node" })],
    target: "127.0.0.2:80",
    expected: "HBONE / 127.0.0.2:80 / 127.0.0.2:15008",
  },
  {
    id: "dataplane OB-12, xds X186: the sender's waypoint is not used",
    mesh: [pod({ ips: ["127.0.0.2"], waypoint: gateway("/127.0.0.10") })],
    from: "127.0.0.2",
    target: "127.0.0.1:80",
    expected: "TCP / – / 127.0.0.1:80",
  },
  {
    id: "dataplane OB-13, xds X187: workload waypoint by address",
    mesh: [pod({ ips: ["127.0.0.2"], waypoint: gateway("/127.0.0.10") })],
    target: "127.0.0.2:80",
    expected: "HBONE / 127.0.0.2:80 / 127.0.0.10:15008",
  },
  {
    id: "dataplane OB-14, xds X188: an IPv4 waypoint for an IPv6 caller",
    mesh: [pod({ ips: ["127.0.0.2", "ff06::c3"], waypoint: gateway("/127.0.0.11") })],
    target: "[ff06::c3]:80",
    expected: "HBONE / [ff06::c3]:80 / 127.0.0.11:15008",
  },
  {
    id: "dataplane OB-15, xds X189: service waypoint by address",
    mesh: [svcA({ waypoint: gateway("/127.0.0.10") })],
    target: "127.0.0.3:80",
    expected: "HBONE / 127.0.0.3:80 / 127.0.0.10:15008",
  },
  {
    id: "dataplane OB-16, xds X190: service without endpoints",
    mesh: [svcA()],
    target: "127.0.0.3:80",
    expected: "no healthy upstream: 127.0.0.3:80",
  },
  {
    id: "dataplane OB-17, xds X191: named ports",
    mesh: NAMED_PORTS,
    target: "127.0.0.3:80",
    expected: "TCP / – / 127.0.0.2:1234",
  },
  {
    id: "dataplane OB-18, xds X192: host network through a service",
    mesh: HOST_NETWORK,
    target: "127.0.0.3:80",
    expected: "TCP / – / 127.0.0.2:80",
    destination: "pod1",
  },
  {
    id: "dataplane OB-19, xds X193: host network by address",
    mesh: HOST_NETWORK,
    target: "127.0.0.2:80",
    expected: "TCP / – / 127.0.0.2:80",
    destination: null,
  },
  {
    id: "dataplane OB-20, xds X194: dual stack, IPv4",
    mesh: [pod({ ips: ["127.0.0.2", "ff06::c3"] })],
    target: "127.0.0.2:80",
    expected: "TCP / – / 127.0.0.2:80",
  },
  {
    id: "dataplane OB-21, xds X194: dual stack, IPv6",
    mesh: [pod({ ips: ["127.0.0.2", "ff06::c3"] })],
    target: "[ff06::c3]:80",
    expected: "TCP / – / [ff06::c3]:80",
  },
  {
    id: "dataplane OB-22, xds X195: IPv6 only",
    mesh: [svcA({ ...DUAL_VIPS, ipFamilies: "IPv6" }), DUAL_POD],
    target: "127.0.0.3:80",
    expected: "HBONE / [ff06::c3]:80 / [ff06::c3]:15008",
  },
  {
    id: "dataplane OB-23, xds X196: IPv4 only",
    mesh: [svcA({ ...DUAL_VIPS, ipFamilies: "IPv4" }), DUAL_POD],
    target: "127.0.0.3:80",
    expected: "HBONE / 127.0.0.2:80 / 127.0.0.2:15008",
  },
  {
    id: "dataplane OB-24, xds X197: dual, asked over IPv4",
    mesh: [svcA({ ...DUAL_VIPS, ipFamilies: "Dual" }), DUAL_POD],
    target: "127.0.0.3:80",
    expected: "HBONE / 127.0.0.2:80 / 127.0.0.2:15008",
  },
  {
    id: "dataplane OB-25, xds X198: dual, asked over IPv6",
    mesh: [svcA({ ...DUAL_VIPS, ipFamilies: "Dual" }), DUAL_POD],
    from: "::1",
    target: "[::3]:80",
    expected: "HBONE / [ff06::c3]:80 / [ff06::c3]:15008",
  },
  {
    id: "dataplane OB-26, xds X199: passthrough service",
    mesh: [svcA(PASSTHROUGH)],
    target: "1.2.3.4:80",
    expected: "TCP / – / 1.2.3.4:80",
  },
  {
    id: "dataplane OB-27, xds X200: passthrough service with a waypoint",
    mesh: [svcA({ ...PASSTHROUGH, waypoint: gateway("/127.0.0.10") })],
    target: "1.2.3.4:80",
    expected: "HBONE / 1.2.3.4:80 / 127.0.0.10:15008",
  },
  {
    id: "dataplane OB-30, xds X201: service waypoint by a name nobody has",
    mesh: [svcA({ waypoint: gateway("ns/gone.com") })],
    target: "127.0.0.3:80",
    expected: "unknown waypoint: waypoint gone.com not found",
  },
  {
    id: "dataplane OB-31, xds X202: the waypoint itself goes direct",
    mesh: [pod({ ips: ["127.0.0.2"], waypoint: gateway("/127.0.0.1") })],
    target: "127.0.0.2:80",
    expected: "TCP / – / 127.0.0.2:80",
  },
  {
    id: "dataplane OB-31, xds X202: the waypoint itself, behind a service",
    mesh: [
      pod({ ips: ["127.0.0.2"], waypoint: gateway("ns/wp.com") }),
      service({ namespace: "ns", hostname: "wp.com", ports: { 15008: 15008 } }),
      { ...SOURCE, endpoints: new Map([[SVC.replace("example", "wp") as never, new Map([[15008, 15008]])]]) },
    ],
    target: "127.0.0.2:80",
    expected: "TCP / – / 127.0.0.2:80",
  },
  {
    id: "xds X206: workload waypoint by service name",
    mesh: [
      pod({ ips: ["127.0.0.2"], waypoint: gateway("ns/wp.com") }),
      service({ namespace: "ns", hostname: "wp.com", vips: ["/127.0.0.20"], ports: { 15008: 15008 } }),
      workload({ name: "wp", namespace: "ns", ips: ["127.0.0.21"], services: { "ns/wp.com": {} } }),
    ],
    target: "127.0.0.2:8080",
    expected: "HBONE / 127.0.0.2:8080 / 127.0.0.21:15008",
  },
  {
    id: "xds X207: workload waypoint by the name of a workload",
    mesh: [
      pod({ ips: ["127.0.0.2"], waypoint: gateway("ns/wp.com") }),
      workload({ name: "wp", namespace: "ns", ips: ["127.0.0.21"], hostname: "wp.com" }),
    ],
    target: "127.0.0.2:8080",
    expected: "HBONE / 127.0.0.2:8080 / 127.0.0.21:15008",
  },
  {
    id: "xds X208: waypoint service without ports, application tunnel",
    mesh: [
      svcA({ waypoint: gateway("ns/wp.com") }),
      service({ namespace: "ns", hostname: "wp.com", vips: ["/127.0.0.20"] }),
      workload({
        name: "wp",
        namespace: "ns",
        ips: ["127.0.0.21"],
        applicationTunnel: { protocol: "PROXY", port: 15088 },
        services: { "ns/wp.com": {} },
      }),
    ],
    target: "127.0.0.3:80",
    expected: "HBONE / 127.0.0.3:80 / 127.0.0.21:15008",
  },
  {
    id: "dataplane 1.5.2: waypoint by an address nobody has",
    mesh: [svcA({ waypoint: gateway("net/10.0.0.1") })],
    target: "127.0.0.3:80",
    expected: "unknown waypoint: waypoint GatewayAddress { destination: Address(NetworkAddress { " +
      'network: "net", address: 10.0.0.1 }), hbone_mtls_port: 15008 } not found',
  },
  {
    id: "dataplane 1.5.2: waypoint service without endpoints",
    mesh: [svcA({ waypoint: gateway("ns/wp.com") }), service({ namespace: "ns", hostname: "wp.com" })],
    target: "127.0.0.3:80",
    expected: "unknown waypoint: waypoint GatewayAddress { destination: Hostname(NamespacedHostname { " +
      'namespace: "ns", hostname: "wp.com" }), hbone_mtls_port: 15008 } not found',
  },
  {
    id: "dataplane 1.5.2: gateway by a name nobody has",
    mesh: [
      svcA(),
      pod({ network: "remote", networkGateway: gateway("ns/gone", 15009), services: { [SVC]: {} } }),
    ],
    target: "127.0.0.3:80",
    expected: "unknown network gateway: network gateway gone not found",
  },
  {
    id: "xds X206: a service-addressed connection ignores the workload's waypoint",
    mesh: [svcA(), pod({ ips: ["127.0.0.2"], waypoint: gateway("/127.0.0.10"), services: { [SVC]: {} } })],
    target: "127.0.0.3:80",
    expected: "TCP / – / 127.0.0.2:8080",
  },
  {
    id: "xds 3.11: a gateway on the client's own network is ignored",
    mesh: [
      svcA(),
      pod({ ips: ["127.0.0.2"], networkGateway: gateway("remote/10.22.1.1"), services: { [SVC]: {} } }),
    ],
    target: "127.0.0.3:80",
    expected: "TCP / – / 127.0.0.2:8080",
  },
];

for (const { id, mesh: changes, from, target, expected, destination } of CASES) {
  Deno.test(id, () => {
    const state = mesh(...changes);
    const random = seededRandom();
    const asking = request(target, from === undefined ? {} : { sourceIp: ip(from) });
    for (let i = 0; i < 10; i++) {
      const outcome = resolveOutbound(state, asking, random);
      assert.equal(summary(outcome), expected);
      if (destination !== undefined) assert.equal(route(outcome).destination?.uid ?? null, destination);
    }
    const trace = resolveOutbound(state, asking, random, []);
    assert.equal(summary(trace), expected, "explaining changes nothing");
    if (trace.kind === "route" || trace.kind === "refusal") assert.notEqual(trace.because.length, 0);
  });
}
