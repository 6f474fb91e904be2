import { strict as assert } from "node:assert";
import { istio } from "../../testkit/gen/resources.js";
import type { MeshChange } from "../mesh/model/changes.ts";
import { DEFAULT_SERVICE, DEFAULT_WORKLOAD } from "../mesh/model/defaults.ts";
import type { Service, Workload } from "../mesh/model/model.ts";
import { MeshState } from "../mesh/state/state.ts";
import { parseIp } from "../net/address.ts";
import { type Decoded, ResourceDecoder } from "./decode.ts";
import { ADDRESS_TYPE } from "./resources.ts";

type WireWorkload = NonNullable<Parameters<typeof istio.workload.Address.encode>[0]["workload"]>;
type WireService = NonNullable<Parameters<typeof istio.workload.Address.encode>[0]["service"]>;

const decoder = new ResourceDecoder(64);

function address(message: Parameters<typeof istio.workload.Address.encode>[0]): Decoded {
  return decoder.decode(ADDRESS_TYPE, "the name", istio.workload.Address.encode(message).finish());
}

function changeOf(decoded: Decoded): MeshChange {
  if (!decoded.ok) throw new Error(decoded.reason);
  return decoded.change;
}

function workload(words: WireWorkload): Workload {
  const change = changeOf(address({ workload: words }));
  assert.equal(change.kind, "workload");
  return (change as MeshChange & { kind: "workload" }).workload;
}

function service(words: WireService): Service {
  const change = changeOf(address({ service: words }));
  assert.equal(change.kind, "service");
  return (change as MeshChange & { kind: "service" }).service;
}

/** Returns the reason for which a valid message was refused. */
function refusal(decoded: Decoded): string {
  assert.ok(!decoded.ok);
  assert.equal(decoded.why, "unacceptable");
  return decoded.reason;
}

function withIp(...octets: number[]): WireWorkload {
  return { addresses: [Uint8Array.from(octets)] };
}

const V6 = [0x20, 1, 0x0d, 0xb8, 0x85, 0xa3, 0, 0, 0, 0, 0x8a, 0x2e, 3, 0x70, 0x73, 0x34];
const LOOPBACK = [...Array(15).fill(0), 1];
const MAPPED = [...Array(10).fill(0), 0xff, 0xff, 10, 0, 0, 1];

for (
  const [id, octets, expected] of [
    ["X3", [0, 0, 0, 0], "0.0.0.0"],
    ["X4", [127, 0, 0, 1], "127.0.0.1"],
    ["X5", [1, 1, 1, 1], "1.1.1.1"],
    ["X6", V6, "2001:db8:85a3::8a2e:370:7334"],
    ["X7", LOOPBACK, "::1"],
  ] as const
) {
  Deno.test(`xds ${id}: an address of ${octets.length} bytes`, () => {
    assert.deepEqual(workload(withIp(...octets)).workloadIps, [expected]);
    assert.equal(parseIp(expected), expected);
  });
}

for (
  const [id, bytes] of [
    ["X1", new TextEncoder().encode("not_an_ip")],
    ["X2", new Uint8Array(0)],
    ["X8", new Uint8Array(5)],
    ["X8", new Uint8Array(15)],
  ] as const
) {
  Deno.test(`xds ${id}: an address of ${bytes.length} bytes is refused in every field`, () => {
    const reason = `failed to parse address, had ${bytes.length} bytes`;
    assert.equal(refusal(address({ workload: { addresses: [bytes] } })), reason);
    assert.equal(refusal(address({ service: { addresses: [{ address: bytes }] } })), reason);
    assert.equal(refusal(address({ workload: { waypoint: { address: { address: bytes } } } })), reason);
  });
}

Deno.test("every IPv4 address has its canonical text", () => {
  for (const octet of [0, 1, 9, 10, 19, 99, 100, 109, 199, 200, 255]) {
    assert.deepEqual(workload(withIp(octet, 10, octet, octet)).workloadIps, [`${octet}.10.${octet}.${octet}`]);
  }
});

Deno.test("xds X9: an IPv4-mapped address is not found by its IPv4 form", () => {
  const state = new MeshState();
  const change = changeOf(address({ workload: { uid: "w", ...withIp(...MAPPED) } }));
  state.apply([change]);
  assert.equal(state.workloadByAddress("", parseIp("10.0.0.1")!), null);
  assert.deepEqual([...state.workloads()].map(({ workloadIps }) => workloadIps), [["::ffff:10.0.0.1"]]);
});

Deno.test("xds X10: missing fields have their defaults", () => {
  const { uid, ...rest } = workload(withIp(127, 0, 0, 1));
  const { uid: _, ...defaults } = DEFAULT_WORKLOAD;
  assert.equal(uid, "");
  assert.deepEqual(rest, { ...defaults, workloadIps: ["127.0.0.1"] });
});

Deno.test("xds 1.3: each field of a workload", () => {
  const all = workload({
    name: "n",
    namespace: "ns",
    addresses: [Uint8Array.of(10, 0, 0, 1), Uint8Array.from(V6)],
    network: "net",
    tunnelProtocol: istio.workload.TunnelProtocol.HBONE,
    trustDomain: "td",
    serviceAccount: "sa",
    waypoint: { hostname: { namespace: "ns", hostname: "wp" }, hboneMtlsPort: 15008 },
    node: "node",
    canonicalName: "cn",
    canonicalRevision: "cr",
    workloadType: istio.workload.WorkloadType.JOB,
    workloadName: "wn",
    nativeTunnel: true,
    authorizationPolicies: ["ns/a", "ns/b"],
    status: istio.workload.WorkloadStatus.UNHEALTHY,
    clusterId: "c",
    networkGateway: {
      address: { network: "other", address: Uint8Array.of(1, 2, 3, 4), length: 8 },
      hboneMtlsPort: 70000,
    },
    uid: "c//Pod/ns/n",
    hostname: "h",
    services: { "ns/svc": { ports: [{ servicePort: 80, targetPort: 8080 }] }, "ns/other": {} },
    applicationTunnel: { protocol: istio.workload.ApplicationTunnel.Protocol.PROXY, port: 15088 },
    locality: { region: "r", zone: "z", subzone: "s" },
    networkMode: istio.workload.NetworkMode.HOST_NETWORK,
    extensions: [{ name: "ignored" }],
    capacity: { value: 7 },
  });
  assert.deepEqual(all, {
    name: "n",
    namespace: "ns",
    workloadIps: ["10.0.0.1", "2001:db8:85a3::8a2e:370:7334"],
    network: "net",
    protocol: "HBONE",
    trustDomain: "td",
    serviceAccount: "sa",
    waypoint: { kind: "hostname", key: "ns/wp", namespace: "ns", hostname: "wp", hboneMtlsPort: 15008 },
    node: "node",
    canonicalName: "cn",
    canonicalRevision: "cr",
    workloadType: "job",
    workloadName: "wn",
    nativeTunnel: true,
    authorizationPolicies: ["ns/a", "ns/b"],
    status: "Unhealthy",
    clusterId: "c",
    // The block's length is ignored here, and the port is cut to 16 bits.
    networkGateway: { kind: "address", network: "other", ip: "1.2.3.4", hboneMtlsPort: 70000 - 65536 },
    uid: "c//Pod/ns/n",
    hostname: "h",
    services: ["ns/svc", "ns/other"],
    applicationTunnel: { protocol: "PROXY", port: 15088 },
    locality: { region: "r", zone: "z", subzone: "s" },
    networkMode: "HostNetwork",
    capacity: 7,
  });
});

Deno.test("xds X11: an explicit capacity of 0 is kept", () => {
  assert.equal(workload({ capacity: { value: 0 } }).capacity, 0);
  assert.equal(workload({ capacity: {} }).capacity, 0);
});

Deno.test("xds X12, X13: types of workloads, unknown ones included", () => {
  const types = [0, 1, 2, 3, 99, -1].map((workloadType) => workload({ workloadType }).workloadType);
  assert.deepEqual(types, ["deployment", "cronjob", "pod", "job", "deployment", "deployment"]);
});

Deno.test("xds X14, X15: unsupported tunnel protocols are refused", () => {
  const protocol = (tunnelProtocol: number) => refusal(address({ workload: { tunnelProtocol } }));
  assert.equal(protocol(2), "unknown enum: unsupported tunnel protocol: legacy istio mtls");
  assert.equal(protocol(7), "decode error: unknown enumeration value 7");
  assert.equal(protocol(-3), "decode error: unknown enumeration value -3");
});

Deno.test("xds X16, X17: names of a workload's services", () => {
  assert.equal(
    refusal(address({ workload: { services: { nohost: {} } } })),
    "failed to parse namespaced hostname: nohost",
  );
  const change = changeOf(
    address({ workload: { services: { "a/b/c": { ports: [{ servicePort: 1, targetPort: 2 }] } } } }),
  );
  assert.equal(change.kind, "workload");
  const { endpoints } = change as MeshChange & { kind: "workload" };
  assert.deepEqual([...endpoints], [["a/b/c", new Map([[1, 2]])]]);
  const state = new MeshState();
  state.apply([change, changeOf(address({ service: { namespace: "a", hostname: "b/c" } }))]);
  assert.equal([...state.services()][0]!.endpoints.size, 1);
});

Deno.test("xds X18: a gateway without a destination is refused", () => {
  const nowhere = { hboneMtlsPort: 15008 };
  const reason = "nonempty gateway address is missing address";
  assert.equal(refusal(address({ workload: { waypoint: nowhere } })), reason);
  assert.equal(refusal(address({ workload: { networkGateway: nowhere } })), reason);
  assert.equal(refusal(address({ service: { waypoint: nowhere } })), reason);
  assert.equal(refusal(address({ service: { weightedWaypoints: [{ weight: 1 }] } })), reason);
  assert.equal(refusal(address({ service: { weightedWaypoints: [{ destination: nowhere }] } })), reason);
});

Deno.test("xds X19: an application tunnel without a port", () => {
  const PROXY = istio.workload.ApplicationTunnel.Protocol.PROXY;
  assert.deepEqual(workload({ applicationTunnel: { protocol: PROXY, port: 0 } }).applicationTunnel, {
    protocol: "PROXY",
    port: null,
  });
});

Deno.test("xds X20: an undefined visibility is public", () => {
  assert.deepEqual([0, 1, 42].map((visibility) => service({ visibility }).visibility), [
    "Public",
    "Namespace",
    "Public",
  ]);
});

Deno.test("xds X21 to X23: addresses of a service, whole ones and blocks", () => {
  const at = (length: number | null, ...octets: number[]) => ({
    addresses: [{ address: Uint8Array.from(octets), length }],
  });
  const block = service(at(24, 10, 0, 0, 0)); // X21
  assert.deepEqual([block.vips, block.cidrVips], [[], [{ network: "", cidr: "10.0.0.0/24" }]]);
  for (const length of [32, null]) { // X22
    const plain = service(at(length, 10, 0, 0, 1));
    assert.deepEqual([plain.vips, plain.cidrVips], [[{ network: "", ip: "10.0.0.1" }], []]);
  }
  assert.match(refusal(address({ service: at(33, 10, 0, 0, 0) })), /^invalid cidr: 10\.0\.0\.0\/33$/); // X23
  assert.match(refusal(address({ service: at(129, ...V6) })), /^invalid cidr: /);
  assert.deepEqual(service(at(0, 0, 0, 0, 0)).cidrVips, [{ network: "", cidr: "0.0.0.0/0" }]);
  assert.deepEqual(service(at(128, ...V6)).vips.length, 1);
});

Deno.test("xds Q9: ports are cut to 16 bits, lengths to 8", () => {
  const more = 3 * 65_536;
  const ports = [{ servicePort: more + 80, targetPort: more + 8080 }];
  const addresses = [{ address: Uint8Array.of(10, 0, 0, 0), length: 256 + 24 }, {
    address: Uint8Array.of(10, 0, 0, 1),
    length: 256 + 32,
  }];
  const { ports: read, vips, cidrVips } = service({ ports, addresses });
  assert.deepEqual([...read], [[80, 8080]]);
  assert.deepEqual([vips, cidrVips], [[{ network: "", ip: "10.0.0.1" }], [{ network: "", cidr: "10.0.0.0/24" }]]);
  const tunnel = { protocol: istio.workload.ApplicationTunnel.Protocol.PROXY, port: more + 15_088 };
  assert.deepEqual(workload({ applicationTunnel: tunnel }).applicationTunnel, { protocol: "PROXY", port: 15_088 });
});

Deno.test("xds X24: an unspecified routing preference is refused", () => {
  const prefer = (...routingPreference: number[]) => address({ service: { loadBalancing: { routingPreference } } });
  assert.equal(refusal(prefer(0)), "unknown enum: invalid target");
  assert.equal(refusal(prefer(1, 7)), "decode error: unknown enumeration value 7");
});

Deno.test("xds X25: load balancing without a mode", () => {
  const { loadBalancer } = service({ loadBalancing: { healthPolicy: 1 } });
  assert.deepEqual(loadBalancer, { routingPreferences: [], mode: "Standard", healthPolicy: "AllowAll" });
});

Deno.test("xds X26: the last one of two equal ports counts", () => {
  const ports = [{ servicePort: 80, targetPort: 8080 }, { servicePort: 80, targetPort: 9090 }, { servicePort: 65_617 }];
  assert.deepEqual(service({ ports }).ports, new Map([[80, 9090], [81, 0]]));
});

Deno.test("xds X27: an empty address is refused", () => {
  assert.equal(refusal(address({})), "unknown address type");
});

Deno.test("xds 1.3: each field of a service", () => {
  const all = service({
    name: "svc",
    namespace: "ns",
    hostname: "*.example.com",
    addresses: [{ network: "net", address: Uint8Array.of(10, 0, 0, 1) }],
    ports: [{ servicePort: 80, targetPort: 8080, appProtocol: 1 }],
    subjectAltNames: ["spiffe://a", "not one", "3", "4", "5", "6"],
    waypoint: { address: { address: Uint8Array.of(10, 0, 0, 2) }, hboneMtlsPort: 15008 },
    loadBalancing: { routingPreference: [6, 1, 2, 3, 4, 5], mode: 2, healthPolicy: 1 },
    ipFamilies: istio.workload.IPFamilies.DUAL,
    canonical: true,
    ingressUseWaypoint: true,
    weightedWaypoints: [{ destination: { hostname: { namespace: "ns", hostname: "a" } }, weight: 75 }],
    visibility: 1,
  });
  assert.deepEqual(all, {
    key: "ns/*.example.com",
    name: "svc",
    namespace: "ns",
    hostname: "*.example.com",
    vips: [{ network: "net", ip: "10.0.0.1" }],
    cidrVips: [],
    ports: new Map([[80, 8080]]),
    subjectAltNames: ["spiffe://a", "not one", "3", "4", "5", "6"],
    waypoint: { kind: "address", network: "", ip: "10.0.0.2", hboneMtlsPort: 15008 },
    loadBalancer: {
      routingPreferences: ["Network", "Region", "Zone", "Subzone", "Node", "Cluster"],
      mode: "Failover",
      healthPolicy: "AllowAll",
    },
    ipFamilies: "Dual",
    canonical: true,
    weightedWaypoints: [{
      destination: { kind: "hostname", key: "ns/a", namespace: "ns", hostname: "a", hboneMtlsPort: 0 },
      weight: 75,
    }],
    visibility: "Namespace",
  });
  assert.deepEqual(service({}), { ...DEFAULT_SERVICE, key: "/" });
  assert.deepEqual([0, 1, 2].map((ipFamilies) => service({ ipFamilies }).ipFamilies), [null, "IPv4", "IPv6"]);
});

Deno.test("xds 1.8: undefined numbers of enums are refused", () => {
  const four: number = 4;
  const wrong: Decoded[] = [
    address({ workload: { networkMode: four } }),
    address({ workload: { status: four } }),
    address({ workload: { applicationTunnel: { protocol: four } } }),
    address({ service: { ipFamilies: four } }),
    address({ service: { loadBalancing: { mode: four } } }),
    address({ service: { loadBalancing: { healthPolicy: four } } }),
  ];
  for (const decoded of wrong) assert.equal(refusal(decoded), "decode error: unknown enumeration value 4");
});
