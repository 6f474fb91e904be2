/** Facts about istiod's resources in `docs/spec/observed.md`, checked again. */
import { strict as assert } from "node:assert";
import { Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import { readMesh } from "../../testkit/istio/istiod_mesh.ts";
import { authorizationPolicy, CLUSTER, documents, namespace, pod, service } from "../../lab/istio/istiod_objects.ts";

function serviceEntry(name: string, created: string, where = "app"): string {
  return `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: ${name}, namespace: ${where}, creationTimestamp: "${created}", labels: {app: ${name}}}
spec:
  hosts: [shared.example.com]
  addresses: [240.0.0.9]
  resolution: NONE
  ports: [{number: 80, name: tcp, protocol: TCP}]`;
}

testWithIstiod({}, "istiod, observed O6: of ServiceEntries with one host the oldest is canonical", async () => {
  const objects = documents(
    CLUSTER,
    namespace("other", { "istio.io/dataplane-mode": "ambient" }),
    serviceEntry("young", "2026-02-01T00:00:00Z"),
    serviceEntry("old", "2026-01-01T00:00:00Z", "other"),
  );
  await using istiod = await Istiod.start({ objects });
  const { services } = await readMesh(istiod);
  const canonical = [...services].map(([key, { service }]) => [key, service.canonical]);
  assert.deepEqual(
    canonical.sort(),
    [["app/shared.example.com", false], ["other/shared.example.com", true]],
  );
});

const FAR = `
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: east-west, namespace: istio-system, labels: {topology.istio.io/network: far}}
spec:
  gatewayClassName: istio-remote
  listeners: [{name: cross-network, port: 15008, protocol: HBONE, tls: {mode: Passthrough}}]
status:
  addresses: [{type: IPAddress, value: 203.0.113.9}]
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-1, namespace: app, labels: {app: web, networking.istio.io/tunnel: http}}
spec: {address: 198.51.100.7, network: far, serviceAccount: vm, weight: 2, labels: {app: web}}
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: vm-2, namespace: app, labels: {app: web, networking.istio.io/tunnel: http}}
spec: {address: 198.51.100.8, network: far, serviceAccount: vm, weight: 3, labels: {app: web}}`;

const GLOBAL_SERVICES = `
serviceScopeConfigs:
- servicesSelector: {matchLabels: {istio.io/global: "true"}}
  scope: GLOBAL
`;

testWithIstiod(
  {},
  "istiod, observed O7: another network is one workload behind its gateway, by the gateway's name",
  async () => {
    const objects = documents(
      CLUSTER,
      namespace("istio-system", { "topology.istio.io/network": "near" }),
      FAR,
      service({ name: "web", vip: "10.2.0.1", ports: { 80: 8080 }, labels: { "istio.io/global": "true" } }),
    );
    await using istiod = await Istiod.start({
      objects,
      mesh: GLOBAL_SERVICES,
      env: { AMBIENT_ENABLE_MULTI_NETWORK: "true" },
    });
    const { workloads, services } = await readMesh(istiod);
    const host = "app/web.app.svc.cluster.local";
    const uid = `far/SplitHorizonWorkload/istio-system/east-west/203.0.113.9/${host}`;
    const split = workloads.get(uid);
    assert.ok(split, [...workloads.keys()].join("\n"));
    const { workloadIps, network, networkGateway, protocol, capacity } = split.workload;
    assert.deepEqual({ workloadIps, network, networkGateway, protocol, capacity }, {
      workloadIps: [],
      network: "far",
      networkGateway: { kind: "address", network: "far", ip: "203.0.113.9", hboneMtlsPort: 15008 },
      protocol: "HBONE",
      capacity: 5,
    });
    assert.deepEqual([...split.endpoints.keys()], [host]);
    assert.ok(
      services.get(host)?.service.subjectAltNames.includes("spiffe://cluster.local/ns/app/sa/vm"),
      "who answers at the other end stands in the service",
    );
  },
);

testWithIstiod(
  {},
  "istiod, observed O8: a pod without any label names every selector policy of its namespace",
  async () => {
    // An empty set of labels behaves differently.
    const bare = pod({ name: "bare", ip: "10.1.0.2" }).replace(/"labels":\{[^}]*\},/, "");
    const objects = documents(
      CLUSTER,
      pod({ name: "web", ip: "10.1.0.1" }),
      bare,
      authorizationPolicy({ name: "web-only", app: "web" }),
      authorizationPolicy({ name: "others", app: "nobody" }),
    );
    await using istiod = await Istiod.start({ objects });
    const { workloads } = await readMesh(istiod);
    const named = (name: string) => [...workloads.get(`Kubernetes//Pod/app/${name}`)!.workload.authorizationPolicies];
    assert.deepEqual(named("web"), ["app/web-only"]);
    assert.deepEqual(named("bare").sort(), ["app/others", "app/web-only"]);
  },
);
