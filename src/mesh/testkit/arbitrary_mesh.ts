/** Arbitrary meshes, for property tests of code that reads and writes meshes. */
import fc from "fast-check";
import type { MeshChange } from "../model/changes.ts";
import { gateway, ip, match, policy, ports, vip } from "./fixture.ts";
import {
  type Clause,
  type Endpoint,
  type GatewayAddress,
  type Match,
  type NamespacedHostname,
  namespacedHostname,
  policyKey,
  type PortMap,
  type Service,
  type StringMatch,
  type Workload,
  workloadUid,
} from "../model/model.ts";

/** Objects with the usual prototype, as the decoders make them. */
const record =
  ((model: Record<string, fc.Arbitrary<unknown>>, constraints: { requiredKeys?: string[] } = {}) =>
    fc.record(model, { noNullPrototype: true, ...constraints })) as unknown as typeof fc.record;

const NAMESPACE = fc.constantFrom("", "app", "istio-system", "a b");
const NAME = fc.oneof(fc.constantFrom("", "a", "server", 'q"\n', "ü"), fc.string({ maxLength: 8 }));
const NETWORK = fc.constantFrom("", "net-1", "net-2");
const HOSTNAME = fc.constantFrom("a.app.svc.cluster.local", "*.wild.example.com", "ext.example.com", "x");
const IP = fc.constantFrom("10.0.0.1", "10.0.0.2", "fd00::1", "::", "255.255.255.255").map(ip);
const CIDR = fc.constantFrom("10.0.0.1/24", "0.0.0.0/0", "fd00::/8", "::ffff:1.2.3.4/100") as fc.Arbitrary<never>;
const PORT = fc.constantFrom(0, 80, 443, 8080, 65535);
const PORTS: fc.Arbitrary<PortMap> = fc.dictionary(PORT.map(String), PORT).map((map) => ports(map));
const GATEWAY: fc.Arbitrary<GatewayAddress> = fc.tuple(
  fc.constantFrom("net-1/10.0.0.9", "/fd00::9", "app/wp.app.svc.cluster.local", "/x"),
  PORT,
).map(([text, port]) => gateway(text, port));
const orNull = <T>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });
const few = <T>(values: fc.Arbitrary<T>) => fc.array(values, { maxLength: 3 });
const KEY: fc.Arbitrary<NamespacedHostname> = fc.tuple(NAMESPACE, HOSTNAME).map(([ns, host]) =>
  namespacedHostname(ns, host)
);

/** Any workload. */
export const WORKLOAD: fc.Arbitrary<Workload> = record({
  uid: fc.constantFrom("a", "b", "cluster//Pod/app/a-1", "é").map(workloadUid),
  name: NAME,
  namespace: NAMESPACE,
  trustDomain: fc.constantFrom("", "cluster.local"),
  serviceAccount: NAME,
  network: NETWORK,
  workloadIps: few(IP),
  protocol: fc.constantFrom("TCP", "HBONE"),
  networkMode: fc.constantFrom("Standard", "HostNetwork"),
  status: fc.constantFrom("Healthy", "Unhealthy"),
  waypoint: orNull(GATEWAY),
  networkGateway: orNull(GATEWAY),
  workloadName: NAME,
  workloadType: fc.constantFrom("", "deployment", "pod"),
  canonicalName: NAME,
  canonicalRevision: NAME,
  hostname: fc.constantFrom("", "ext.example.com"),
  node: NAME,
  clusterId: NAME,
  nativeTunnel: fc.boolean(),
  applicationTunnel: orNull(record({ protocol: fc.constantFrom("NONE", "PROXY"), port: orNull(PORT) })),
  authorizationPolicies: few(fc.constantFrom("app/p", "no-slash").map(policyKey)),
  locality: record({ region: NAME, zone: NAME, subzone: NAME }),
  capacity: fc.constantFrom(0, 1, 7, 0xffff_ffff),
  services: fc.uniqueArray(KEY, { maxLength: 3 }),
}) as fc.Arbitrary<Workload>;

const SERVICE: fc.Arbitrary<Service> = record({
  name: NAME,
  namespace: NAMESPACE,
  hostname: HOSTNAME,
  vips: few(fc.tuple(NETWORK, IP).map(([network, address]) => vip(`${network}/${address}`))),
  cidrVips: few(record({ network: NETWORK, cidr: CIDR })),
  ports: PORTS,
  subjectAltNames: few(fc.constantFrom("spiffe://td/ns/a/sa/b", "nonsense")),
  waypoint: orNull(GATEWAY),
  weightedWaypoints: few(record({ destination: GATEWAY, weight: fc.nat(100) })),
  loadBalancer: orNull(record({
    routingPreferences: few(fc.constantFrom("Region", "Zone", "Subzone", "Node", "Cluster", "Network")),
    mode: fc.constantFrom("Standard", "Strict", "Failover", "Passthrough"),
    healthPolicy: fc.constantFrom("OnlyHealthy", "AllowAll"),
  })),
  ipFamilies: orNull(fc.constantFrom("Dual", "IPv4", "IPv6")),
  canonical: fc.boolean(),
  visibility: fc.constantFrom("Public", "Namespace"),
}).map((value) => ({ ...value, key: namespacedHostname(value.namespace, value.hostname) })) as fc.Arbitrary<Service>;

const STRING_MATCH = fc.oneof(
  record({ kind: fc.constantFrom("Exact", "Prefix", "Suffix"), value: NAME }),
  fc.constant({ kind: "Presence" }),
) as fc.Arbitrary<StringMatch>;
const ACCOUNT = record({ namespace: NAMESPACE, serviceAccount: NAME });
const MATCH: fc.Arbitrary<Match> = record({
  namespaces: few(STRING_MATCH),
  notNamespaces: few(STRING_MATCH),
  principals: few(STRING_MATCH),
  notPrincipals: few(STRING_MATCH),
  serviceAccounts: few(ACCOUNT),
  notServiceAccounts: few(ACCOUNT),
  sourceIps: few(CIDR),
  notSourceIps: few(CIDR),
  destinationIps: few(CIDR),
  notDestinationIps: few(CIDR),
  destinationPorts: few(PORT),
  notDestinationPorts: few(PORT),
}, { requiredKeys: [] }).map((fields) => match(fields as Partial<Match>));

const POLICY = record({
  name: NAME.filter((name) => !name.includes("/")),
  namespace: NAMESPACE,
  scope: fc.constantFrom("Global", "Namespace", "WorkloadSelector"),
  action: fc.constantFrom("Allow", "Deny"),
  dryRun: fc.boolean(),
  rules: few(few(few(MATCH) as fc.Arbitrary<Clause>)),
}).map((value) => policy(value as Parameters<typeof policy>[0]));

const WORKLOAD_CHANGE: fc.Arbitrary<MeshChange> = fc.tuple(WORKLOAD, fc.array(PORTS, { minLength: 3, maxLength: 3 }))
  .map((
    [value, maps],
  ) => ({ kind: "workload", workload: value, endpoints: new Map(value.services.map((key, i) => [key, maps[i]!])) }));

const SERVICE_CHANGE: fc.Arbitrary<MeshChange> = fc.tuple(
  SERVICE,
  few(record({
    workloadUid: fc.constantFrom("a", "z").map(workloadUid),
    ports: PORTS,
    status: fc.constantFrom("Healthy", "Unhealthy"),
  })) as fc.Arbitrary<Endpoint[]>,
).map(([value, endpoints]) => ({ kind: "service", service: value, endpoints }));

/** Any batch of changes for an empty state. */
export const CHANGES: fc.Arbitrary<MeshChange[]> = fc.array(fc.oneof(WORKLOAD_CHANGE, SERVICE_CHANGE, POLICY), {
  maxLength: 12,
});
