/**
 * Workloads, services, waypoints and gateways: Kubernetes objects, and what the proxy makes of istiod's resources for
 * them.
 */
import { strict as assert } from "node:assert";
import type { GatewayAddress, Service, Workload } from "../../src/mesh/model/model.ts";
import { Istiod, type IstiodOptions, testWithIstiod } from "../../lab/istio/istiod.ts";
import { type DecodedMesh, readMesh } from "../../testkit/istio/istiod_mesh.ts";
import { CLUSTER, documents, pod, service } from "../../lab/istio/istiod_objects.ts";

const WEB = pod({ name: "web", ip: "10.1.0.1", ports: { http: 8080 } });

/** What results from the objects, besides the nodes and their proxies. */
async function understood(objects: readonly string[], options: Partial<IstiodOptions> = {}) {
  await using istiod = await Istiod.start({ objects: documents(CLUSTER, ...objects), ...options });
  const mesh = await readMesh(istiod);
  return {
    mesh,
    pod: (name: string) => workloadOf(mesh, `Kubernetes//Pod/app/${name}`),
    service: (host: string) => serviceOf(mesh, `app/${host}`),
  };
}

function workloadOf({ workloads }: DecodedMesh, uid: string): Workload {
  const found = workloads.get(uid)?.workload;
  assert.ok(found, `no workload ${uid} among ${[...workloads.keys()].join(", ")}`);
  return found;
}

function serviceOf({ services }: DecodedMesh, key: string): Service {
  const found = services.get(key)?.service;
  assert.ok(found, `no service ${key} among ${[...services.keys()].join(", ")}`);
  return found;
}

/** The fields of `value` that `expected` has. */
function assertHas<T extends object>(value: T, expected: { readonly [Key in keyof T]?: unknown }): void {
  const keys = Object.keys(expected) as (keyof T)[];
  assert.deepEqual(Object.fromEntries(keys.map((key) => [key, value[key]])), expected);
}

testWithIstiod(
  {},
  "istiod objects: pods, captured or not, ready or not, of both families, on the host's network",
  async () => {
    const { pod: of, mesh } = await understood([
      WEB,
      pod({ name: "both", ip: ["10.1.0.2", "fd00::2"], node: "node-2" }),
      pod({ name: "plain", ip: "10.1.0.3", ambient: false, account: "default" }),
      pod({ name: "starting", ip: "10.1.0.4", ready: false }),
      pod({ name: "done", ip: "10.1.0.5" }).replace('"Running"', '"Succeeded"'),
      pod({ name: "host", ip: "192.0.2.1", ambient: false }).replace('"spec":{', '"spec":{"hostNetwork":true,'),
    ]);
    assertHas(of("web"), {
      name: "web",
      namespace: "app",
      serviceAccount: "web",
      trustDomain: "cluster.local",
      workloadIps: ["10.1.0.1"],
      protocol: "HBONE",
      status: "Healthy",
      node: "node-1",
      locality: { region: "r1", zone: "z1", subzone: "" },
      workloadType: "pod",
      canonicalName: "web",
      networkMode: "Standard",
      clusterId: "Kubernetes",
    });
    assertHas(of("both"), {
      workloadIps: ["10.1.0.2", "fd00::2"],
      locality: { region: "r1", zone: "z2", subzone: "" },
    });
    assertHas(of("plain"), { protocol: "TCP", serviceAccount: "default" });
    assertHas(of("starting"), { status: "Unhealthy" });
    assertHas(of("host"), { networkMode: "HostNetwork" });
    assert.equal(mesh.workloads.has("Kubernetes//Pod/app/done"), false);
  },
);

testWithIstiod({}, "istiod objects: services with named ports, both families, preferences", async () => {
  const { mesh, service: of } = await understood([
    WEB,
    service({ name: "web", vip: "10.2.0.1", ports: { 80: "http", 81: 8081, 82: "nobody-has-it" } }),
    service({ name: "six", vip: "fd01::1", app: "web", ports: { 80: 8080 } }),
    service({ name: "local", vip: "10.2.0.2", app: "web", ports: { 80: 8080 } })
      .replace('"spec":{', '"spec":{"internalTrafficPolicy":"Local","publishNotReadyAddresses":true,'),
    service({ name: "near", vip: "10.2.0.3", app: "web", ports: { 80: 8080 } })
      .replace('"spec":{', '"spec":{"trafficDistribution":"PreferSameZone",'),
    service({ name: "headless", vip: "None", app: "web", ports: { 80: 8080 } }),
  ]);
  const web = of("web.app.svc.cluster.local");
  assertHas(web, {
    vips: [{ network: "", ip: "10.2.0.1" }],
    ipFamilies: "IPv4",
    canonical: true,
    visibility: "Public",
  });
  assert.deepEqual(new Map(web.ports), new Map([[80, 0], [81, 8081], [82, 0]]));
  const offered = mesh.workloads.get("Kubernetes//Pod/app/web")?.endpoints.get(web.key);
  assert.deepEqual(new Map(offered), new Map([[80, 8080], [81, 8081]]));
  assertHas(of("six.app.svc.cluster.local"), { vips: [{ network: "", ip: "fd01::1" }], ipFamilies: "IPv6" });
  assertHas(of("local.app.svc.cluster.local"), {
    loadBalancer: { mode: "Strict", routingPreferences: ["Node"], healthPolicy: "AllowAll" },
  });
  assertHas(of("near.app.svc.cluster.local"), {
    loadBalancer: { mode: "Failover", routingPreferences: ["Network", "Region", "Zone"], healthPolicy: "OnlyHealthy" },
  });
  assertHas(of("headless.app.svc.cluster.local"), { vips: [] });
});

testWithIstiod(
  {},
  "istiod objects: ServiceEntries: blocks of addresses, names to resolve, other identities, weights",
  async () => {
    const { mesh, service: of } = await understood([`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: static, namespace: app, labels: {app: static}}
spec:
  hosts: [static.example.com]
  addresses: [240.0.0.1, 240.1.0.0/24]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP, targetPort: 8080}]
  subjectAltNames: ["spiffe://cluster.local/ns/app/sa/other"]
  endpoints:
  - {address: 198.51.100.1, weight: 3, locality: r2/z9, labels: {app: static}}
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: names, namespace: app, labels: {app: names}}
spec:
  hosts: [names.example.com, "*.wild.example.com"]
  addresses: [240.0.0.2]
  resolution: DNS
  ports: [{number: 443, name: tls, protocol: TLS}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: through, namespace: app, labels: {app: through}}
spec:
  hosts: [through.example.com]
  addresses: [240.0.0.3]
  resolution: NONE
  ports: [{number: 80, name: tcp, protocol: TCP}]`]);
    assertHas(of("static.example.com"), {
      vips: [{ network: "", ip: "240.0.0.1" }],
      cidrVips: [{ network: "", cidr: "240.1.0.0/24" }],
      subjectAltNames: ["spiffe://cluster.local/ns/app/sa/other"],
    });
    const entry = "Kubernetes/networking.istio.io/ServiceEntry/app";
    assertHas(workloadOf(mesh, `${entry}/static/198.51.100.1`), {
      capacity: 3,
      protocol: "TCP",
      locality: { region: "r2", zone: "z9", subzone: "" },
    });
    assertHas(workloadOf(mesh, `${entry}/names/names.example.com`), { hostname: "names.example.com", workloadIps: [] });
    assertHas(of("*.wild.example.com"), { vips: [{ network: "", ip: "240.0.0.2" }] });
    assertHas(of("through.example.com"), {
      loadBalancer: { mode: "Passthrough", routingPreferences: [], healthPolicy: "AllowAll" },
    });
  },
);

const WAYPOINT_CLASS = `
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: istio-waypoint}
spec: {controllerName: istio.io/mesh-controller}`;

function waypoint(name: string, address: string): string {
  return `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: ${name}, namespace: app, labels: {istio.io/waypoint-for: all}}
spec:
  gatewayClassName: istio-waypoint
  listeners: [{name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: Same}}}]
status:
  addresses: [${address}]`;
}

const BY_NAME: GatewayAddress = {
  kind: "hostname",
  key: "app/way.app.svc.cluster.local" as Extract<GatewayAddress, { kind: "hostname" }>["key"],
  namespace: "app",
  hostname: "way.app.svc.cluster.local",
  hboneMtlsPort: 15008,
};

testWithIstiod(
  {},
  "istiod objects: waypoints of services and pods, by name and by address, two by weight",
  async () => {
    const { pod: of, service: host } = await understood([
      WAYPOINT_CLASS,
      waypoint("way", "{type: Hostname, value: way.app.svc.cluster.local}"),
      waypoint("there", "{type: IPAddress, value: 10.2.0.9}"),
      pod({ name: "web", ip: "10.1.0.1", labels: { "istio.io/use-waypoint": "way" } }),
      service({ name: "web", vip: "10.2.0.1", ports: { 80: 8080 }, labels: { "istio.io/use-waypoint": "way" } }),
      service({ name: "two", vip: "10.2.0.2", ports: { 80: 8080 }, labels: { "istio.io/use-waypoint": "there" } }),
      service({ name: "none", vip: "10.2.0.3", ports: { 80: 8080 } }),
      service({
        name: "canary",
        vip: "10.2.0.4",
        ports: { 80: 8080 },
        labels: { "istio.io/use-waypoint": "way", "istio.io/use-waypoint-canary": "there" },
      }).replace('"metadata":{', '"metadata":{"annotations":{"istio.io/use-waypoint-canary-weight":"30"},'),
    ]);
    const byAddress = { kind: "address", network: "", ip: "10.2.0.9", hboneMtlsPort: 15008 };
    assertHas(of("web"), { waypoint: BY_NAME });
    assertHas(host("web.app.svc.cluster.local"), { waypoint: BY_NAME, weightedWaypoints: [] });
    assertHas(host("two.app.svc.cluster.local"), { waypoint: byAddress });
    assertHas(host("none.app.svc.cluster.local"), { waypoint: null });
    assertHas(host("canary.app.svc.cluster.local"), {
      weightedWaypoints: [{ destination: BY_NAME, weight: 70 }, { destination: byAddress, weight: 30 }],
    });
  },
);

testWithIstiod({}, "istiod objects: a waypoint's own pods, asked for the PROXY protocol", async () => {
  const { pod: of } = await understood([
    WAYPOINT_CLASS,
    waypoint("way", "{type: Hostname, value: way.app.svc.cluster.local}")
      .replace("labels:", "annotations: {ambient.istio.io/waypoint-inbound-binding: PROXY/15088}, labels:"),
    pod({ name: "way-1", ip: "10.1.0.9", ambient: false, labels: { "gateway.networking.k8s.io/gateway-name": "way" } }),
  ]);
  assertHas(of("way-1"), { applicationTunnel: { protocol: "PROXY", port: 15088 } });
});

testWithIstiod({}, "istiod objects: another network and the gateway that leads there", async () => {
  const { mesh, service: host } = await understood([
    WEB,
    `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: east-west
  namespace: istio-system
  labels: {topology.istio.io/network: far}
spec:
  gatewayClassName: istio-remote
  listeners: [{name: cross-network, port: 15008, protocol: HBONE, tls: {mode: Passthrough}}]
status:
  addresses: [{type: IPAddress, value: 203.0.113.9}]
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: vm, namespace: app, labels: {app: vm}}
spec:
  hosts: [vm.example.com]
  addresses: [240.0.0.4]
  resolution: STATIC
  ports: [{number: 80, name: http, protocol: HTTP}]
  workloadSelector: {labels: {app: vm}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-1, namespace: app, labels: {app: vm, networking.istio.io/tunnel: http}}
spec: {address: 198.51.100.7, network: far, serviceAccount: vm, weight: 2, labels: {app: vm}}`,
  ]);
  assertHas(workloadOf(mesh, "Kubernetes/networking.istio.io/WorkloadEntry/app/vm-1"), {
    network: "far",
    networkGateway: { kind: "address", network: "far", ip: "203.0.113.9", hboneMtlsPort: 15008 },
    nativeTunnel: true,
    protocol: "HBONE",
    serviceAccount: "vm",
    capacity: 2,
    services: ["app/vm.example.com"],
  });
  assert.ok([...mesh.workloads.keys()].some((uid) => uid.startsWith("NetworkGateway/far/203.0.113.9/")));
  assertHas(host("vm.example.com"), { vips: [{ network: "", ip: "240.0.0.4" }] });
});

testWithIstiod({}, "istiod objects: a trust domain of one's own, and entries for their namespace alone", async () => {
  const { pod: of, service: host } = await understood([
    WEB,
    `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: mine, namespace: app, labels: {app: mine}}
spec:
  hosts: [mine.example.com]
  addresses: [240.0.0.5]
  resolution: NONE
  ports: [{number: 80, name: tcp, protocol: TCP}]`,
  ], { mesh: "trustDomain: example.org\nserviceEntryVisibility: {defaultVisibility: NAMESPACE}\n" });
  assertHas(of("web"), { trustDomain: "example.org" });
  assertHas(host("mine.example.com"), { visibility: "Namespace", canonical: false });
});
