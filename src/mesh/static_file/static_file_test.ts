import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ConfigError } from "../../config/error.ts";
import { formatAddress } from "../../net/address.ts";
import { authorize } from "../policy/authorize.ts";
import { ip, ports, socket, stateOf, workload } from "../testkit/fixture.ts";
import type { NamespacedHostname } from "../model/model.ts";
import { resolveOutbound } from "../resolve/outbound.ts";
import { changesOf, EMPTY_STATIC_FILE, parseStaticFile } from "./static_file.ts";
import { parseSpiffeId } from "../model/workload_identity.ts";

const SHOP = `
workloads:
  - uid: cluster1//v1/Pod/shop/cart-0
    name: cart-0
    namespace: shop
    serviceAccount: cart
    trustDomain: cluster.local
    clusterId: Kubernetes
    workloadIps: ["10.1.0.5"]
    protocol: HBONE
    node: worker-1
    locality: {region: eu, zone: eu-1, subzone: ""}
    authorizationPolicies: ["shop/only-front"]
    services:
      "shop/cart.shop.svc.cluster.local":
        80: 8080
  - {uid: ext-1, name: ext-1, namespace: shop, workloadIps: [], hostname: db.example.com, services: {}}
services:
  - name: cart
    namespace: shop
    hostname: cart.shop.svc.cluster.local
    vips: ["/10.2.0.10", "other-net/10.2.0.10"]
    ports: {80: 8080}
    loadBalancer: {routingPreferences: [Network, Zone], mode: Failover, healthPolicy: OnlyHealthy}
    canonical: true
policies:
  - name: only-front
    namespace: shop
    scope: WorkloadSelector
    action: Allow
    dryRun: false
    rules:
      - - - principals: [!Exact cluster.local/ns/shop/sa/front]
            destinationPorts: [8080]
`;

Deno.test("config 2: the example", () => {
  const file = parseStaticFile(SHOP, "shop.yaml");
  const [cart, external] = file.workloads;
  assert.equal(cart!.workload.uid, "cluster1//v1/Pod/shop/cart-0");
  assert.deepEqual(cart!.workload.services, []);
  assert.deepEqual(cart!.endpoints, new Map([["shop/cart.shop.svc.cluster.local", ports({ 80: 8080 })]]));
  // Unlike with xDS, absent fields get no defaults.
  assert.equal(external!.workload.trustDomain, "");
  assert.equal(external!.workload.serviceAccount, "");
  assert.equal(external!.workload.clusterId, "");
  assert.equal(external!.workload.capacity, 1);
  assert.equal(external!.workload.hostname, "db.example.com");

  const state = stateOf(...changesOf(file));
  const front = workload({ namespace: "shop", serviceAccount: "front", ips: ["10.1.0.9"] }).workload;
  const route = resolveOutbound(state, {
    source: front,
    sourceIp: ip("10.1.0.9"),
    target: socket("10.2.0.10:80"),
    network: "",
    hbonePort: 15008,
    asked: null,
    tried: null,
  }, Math.random);
  assert.ok(route.kind === "route");
  assert.equal(
    `${route.protocol} ${route.authority} ${formatAddress(route.actual)}`,
    "HBONE 10.1.0.5:8080 10.1.0.5:15008",
  );
  const may = (who: string) =>
    authorize(state, {
      destination: cart!.workload,
      source: socket("10.1.0.9:1"),
      identity: parseSpiffeId(who),
      target: socket("10.1.0.5:8080"),
    }).allow;
  assert.equal(may("spiffe://cluster.local/ns/shop/sa/front"), true);
  assert.equal(may("spiffe://cluster.local/ns/shop/sa/back"), false);
});

const LOCAL = `
workloads:
- uid: cluster1//v1/Pod/default/local
  name: local
  namespace: default
  serviceAccount: local
  trustDomain: cluster.local
  workloadIps: ["127.0.0.1"]
  protocol: HBONE
  services:
    default/local.default.svc.cluster.local: {80: 8080}
    default/remote.default.svc.cluster.local: {80: 8080}
services:
- {name: local, namespace: default, hostname: local.default.svc.cluster.local, vips: [/127.10.0.1], ports: {80: 8080}}
- {name: remote, namespace: default, hostname: remote.default.svc.cluster.local, vips: [remote/127.10.0.2], ports: {80: 8080}}
`;

Deno.test("xds X204, X205: services of a static file", () => {
  const file = parseStaticFile(LOCAL, "local.yaml");
  const state = stateOf(...changesOf(file));
  for (const [network, address] of [["", "127.10.0.1"], ["remote", "127.10.0.2"]] as const) {
    const entry = state.serviceByVip(network, ip(address), "default");
    assert.deepEqual([...entry!.endpoints.values()].map((endpoint) => endpoint.ports.get(80)), [8080]);
  }
  const route = resolveOutbound(state, {
    source: file.workloads[0]!.workload,
    sourceIp: ip("127.0.0.1"),
    target: socket("127.10.0.1:80"),
    network: "",
    hbonePort: 15008,
    asked: null,
    tried: null,
  }, Math.random);
  assert.ok(route.kind === "route");
  assert.equal(route.authority, "127.0.0.1:8080");
  assert.deepEqual(route.nextHopIdentities, ["spiffe://cluster.local/ns/default/sa/local"]);
});

Deno.test("config 2: empty documents", () => {
  for (const text of ["", "# nothing\n", "---\n", "null", "{}"]) {
    assert.deepEqual(parseStaticFile(text, "f"), EMPTY_STATIC_FILE);
  }
});

function policies(match: string): string {
  return `policies: [{name: p, namespace: ns, scope: Global, action: Deny, dryRun: false, rules: [[[${match}]]]}]`;
}

Deno.test("config 2: tags and maps of string matches", () => {
  const read = (text: string) =>
    parseStaticFile(policies(`{principals: [${text}]}`), "f").policies[0]!.policy.rules[0]![0]![0]!.principals;
  for (const kind of ["Exact", "Prefix", "Suffix"] as const) {
    for (const text of [`!${kind} x`, `!${kind} "x"`, `{${kind}: x}`, `{"${kind}": "x"}`]) {
      assert.deepEqual(read(text), [{ kind, value: "x" }]);
    }
  }
  assert.deepEqual(read("!Exact 12"), [{ kind: "Exact", value: "12" }]);
  for (const text of ["!Presence []", "{Presence: []}"]) assert.deepEqual(read(text), [{ kind: "Presence" }]);
});

Deno.test("config 2: ports may be quoted, localities and matches may have unknown keys", () => {
  const text = `
workloads:
  - workloadIps: []
    namespace: ns
    services: {"ns/h": {"80": 81, 90: 91}}
    locality: {region: r, zone: z, subzone: s, planet: earth}
    waypoint: null
    applicationTunnel: {protocol: PROXY, port: null}
`;
  const { workload: read, endpoints } = parseStaticFile(text, "f").workloads[0]!;
  assert.deepEqual(endpoints.get("ns/h" as NamespacedHostname), ports({ 80: 81, 90: 91 }));
  assert.deepEqual(read.locality, { region: "r", zone: "z", subzone: "s" });
  assert.deepEqual(read.applicationTunnel, { protocol: "PROXY", port: null });
  assert.equal(read.waypoint, null);
  parseStaticFile(policies("{principals: [!Exact x], colour: red}"), "f");
});

function workloads(rest: string): string {
  return `workloads:\n  - {workloadIps: [], namespace: ns, services: {}, ${rest}}`;
}

function services(rest: string): string {
  return `services:\n  - {name: n, namespace: ns, hostname: h, vips: [], ports: {}, ${rest}}`;
}

const TWICE = "{uid: a, workloadIps: [], namespace: ns, services: {}}";
const MISTAKES: readonly [string, string][] = [
  ["workloads: [", "f:1:13: Flow sequence in block collection must be sufficiently indented and end with a ]"],
  ["a: 1", "f:1:1: the document has the unknown key a; accepted are workloads, services, policies"],
  ["workloads: 1", "f:1:12: cannot use workloads 1: it must be a list"],
  ["- 1", "f:1:1: cannot use the document (a list): it must be a map"],
  ["a: 1\na: 2", "f:2:1: Map keys must be unique"],
  ["workloads: [{}]", "f:1:13: workloads[0] lacks the key namespace"],
  [
    workloads("protocol: hbone"),
    'f:2:62: cannot use workloads[0].protocol "hbone": it must be TCP or HBONE',
  ],
  [workloads("colour: red"), "f:2:52: workloads[0] has the unknown key colour; accepted are workloadIps, namespace,"],
  [workloads("uid: 12"), "f:2:57: cannot use workloads[0].uid 12: it must be a string"],
  [
    workloads("capacity: -1"),
    "f:2:62: cannot use workloads[0].capacity -1: it must be a whole number from 0 to 4294967295",
  ],
  [workloads("nativeTunnel: yes"), 'f:2:66: cannot use workloads[0].nativeTunnel "yes": it must be true or false'],
  [
    workloads("waypoint: {destination: nowhere, hboneMtlsPort: 1}"),
    'f:2:76: cannot use workloads[0].waypoint.destination "nowhere": it must be network/IP or namespace/hostname',
  ],
  [
    workloads("waypoint: {destination: a/b, hboneMtlsPort: 65536}"),
    "f:2:96: cannot use workloads[0].waypoint.hboneMtlsPort 65536: it must be a whole number from 0 to 65535",
  ],
  [workloads("applicationTunnel: {protocol: SOCKS}"), "must be NONE or PROXY"],
  [workloads("locality: {region: r}"), "workloads[0].locality lacks the key zone"],
  [
    "workloads: [{workloadIps: [1.2.3], namespace: ns, services: {}}]",
    'workloadIps[0] "1.2.3": it must be an IP address',
  ],
  [
    "workloads: [{workloadIps: [], namespace: ns, services: {nohost: {}}}]",
    "f:1:65: failed to parse namespaced hostname: nohost",
  ],
  [
    "workloads: [{workloadIps: [], namespace: ns, services: {a/b: {x: 1}}}]",
    "cannot use the port x of workloads[0].services.a/b",
  ],
  ["workloads: [{workloadIps: [], namespace: ns, services: {a/b: {80: 1, '80': 2}}}]", "has the key 80 twice"],
  [`workloads: [${TWICE}, ${TWICE}]`, 'f:1:69: workloads[1] has the uid "a", as workloads[0] has'],
  [services("vips: [10.0.0.1]").replace("vips: [], ", ""), "must be network/IP, such as /10.0.0.1"],
  [services("cidrVips: [{network: '', cidr: 10.0.0.0/33}]"), "must be a CIDR block, such as 10.0.0.0/24"],
  [
    services("loadBalancer: {mode: Strict, healthPolicy: AllowAll}"),
    "services[0].loadBalancer lacks the key routingPreferences",
  ],
  [
    services("loadBalancer: {routingPreferences: [Continent], mode: Strict, healthPolicy: AllowAll}"),
    "must be Region or Zone or Subzone or Node or Cluster or Network",
  ],
  [services("endpoints: {a: {workloadUid: a, port: {}}}"), "services[0].endpoints.a lacks the key status"],
  [services("visibility: public"), "must be Public or Namespace"],
  ["policies: [{name: p}]", "policies[0] lacks the key namespace"],
  [policies("{principals: [x]}"), "must be tagged !Exact, !Prefix, !Suffix or !Presence"],
  [policies("{principals: [!Glob x]}"), "must be tagged !Exact, !Prefix, !Suffix or !Presence"],
  [policies("{principals: [{Exact: x, Prefix: y}]}"), "must be tagged !Exact"],
  [policies("{sourceIps: [10.0.0.1]}"), "must be a CIDR block"],
  [policies("{destinationPorts: [70000]}"), "must be a whole number from 0 to 65535"],
  [policies("{serviceAccounts: [{namespace: a}]}"), "lacks the key serviceAccount"],
];

for (const [text, expected] of MISTAKES) {
  Deno.test(`config 2: an invalid file is refused: ${expected}`, () => {
    assert.throws(() => parseStaticFile(text, "f"), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.ok(error.message.includes(expected), error.message);
      return true;
    });
  });
}

Deno.test("config 2: anchors and aliases", () => {
  const text = "workloads:\n- {uid: a, workloadIps: &ips [10.0.0.1], namespace: ns, services: {}}\n" +
    "- {uid: b, workloadIps: *ips, namespace: ns, services: {}}";
  assert.deepEqual(parseStaticFile(text, "f").workloads[1]!.workload.workloadIps, ["10.0.0.1"]);
});

Deno.test("any text is read, or refused with a ConfigError", () => {
  const pieces = fc.constantFrom(...SHOP.split(/(?<=[\n:,\[\]{} ])/), "!Exact", "null", "*a", "&a", "[", "}");
  const text = fc.oneof(fc.string(), fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join("")));
  fc.assert(fc.property(text, (each) => {
    try {
      parseStaticFile(each, "f");
    } catch (error) {
      assert.ok(error instanceof ConfigError, String(error));
    }
  }));
});

Deno.test("a document that is nested too deep is refused with a ConfigError", () => {
  for (const text of ["- ".repeat(20_000), "[".repeat(20_000), `${"- ".repeat(20_000)}\nb: 1\n`]) {
    assert.throws(() => parseStaticFile(text, "f"), { name: "ConfigError", message: /^f:.*nested too deep$/ });
  }
});
