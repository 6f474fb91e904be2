/**
 * What the control plane sends about the mesh, as plain values: workloads, services, policies.
 *
 * The shapes follow the config dump (`docs/spec/config-admin.md` 4.4), so that a value can be compared with it. Values
 * never change once made, survive a structured clone, and are shared freely.
 */
import type { Ip } from "../../net/address.ts";
import type { Cidr } from "./cidr.ts";

/** The primary key of a workload, `Kubernetes//Pod/shop/cart-0`. Opaque text, may be empty in a static file. */
export type WorkloadUid = string & { readonly _: "WorkloadUid" };

/** `namespace/hostname`, the key of a service. Made only by this file. */
export type NamespacedHostname = string & { readonly _: "NamespacedHostname" };

/** The key of a policy: the name of its xDS resource, `namespace/name`. */
export type PolicyKey = string & { readonly _: "PolicyKey" };

/** Service port to target port. Target 0 stands for a named port: each endpoint has its own number for it. */
export type PortMap = ReadonlyMap<number, number>;

/** The protocol in which a workload itself takes connections. */
type WorkloadProtocol = "TCP" | "HBONE";
/** Readiness of a workload, as the control plane reports it. */
type Health = "Healthy" | "Unhealthy";

/** Where a workload runs. An empty text: not known. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subzone: string;
}

/** Where a waypoint or an east-west gateway is: an address, or a service or workload by name. */
export type GatewayAddress =
  | { readonly kind: "address"; readonly network: string; readonly ip: Ip; readonly hboneMtlsPort: number }
  | {
    readonly kind: "hostname";
    readonly key: NamespacedHostname;
    readonly namespace: string;
    readonly hostname: string;
    readonly hboneMtlsPort: number;
  };

/** How bytes reach the application behind a waypoint pod. Port null: the port of the request. */
export interface ApplicationTunnel {
  readonly protocol: "NONE" | "PROXY";
  readonly port: number | null;
}

/** A pod, VM or node of the mesh (`docs/spec/xds-state.md` 1.4). */
export interface Workload {
  readonly uid: WorkloadUid;
  readonly name: string;
  readonly namespace: string;
  readonly trustDomain: string;
  readonly serviceAccount: string;
  /** The empty name is the default network. */
  readonly network: string;
  readonly workloadIps: readonly Ip[];
  /** How the workload takes connections: by HBONE (its own or its node's proxy), or by plain TCP. */
  readonly protocol: WorkloadProtocol;
  /** HostNetwork workloads share the node's addresses and are not found by address. */
  readonly networkMode: "Standard" | "HostNetwork";
  readonly status: Health;
  readonly waypoint: GatewayAddress | null;
  readonly networkGateway: GatewayAddress | null;
  readonly workloadName: string;
  /** `deployment`, `cronjob`, `pod` or `job`; may be empty in a static file. */
  readonly workloadType: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  /** DNS name to resolve where no address is usable; empty: none. */
  readonly hostname: string;
  readonly node: string;
  readonly clusterId: string;
  readonly nativeTunnel: boolean;
  readonly applicationTunnel: ApplicationTunnel | null;
  /** Policies that select this workload. */
  readonly authorizationPolicies: readonly PolicyKey[];
  readonly locality: Locality;
  /** Weight in the choice among endpoints; 0: never chosen. */
  readonly capacity: number;
  /** The services this workload belongs to. */
  readonly services: readonly NamespacedHostname[];
}

/** A workload's membership in one service. */
export interface Endpoint {
  readonly workloadUid: WorkloadUid;
  readonly ports: PortMap;
  readonly status: Health;
}

/** An IP address within one network; networks may use the same addresses. */
export interface NetworkAddress {
  readonly network: string;
  readonly ip: Ip;
}

/** A block of virtual addresses within one network. */
export interface CidrVip {
  readonly network: string;
  readonly cidr: Cidr;
}

/** What two workloads can have in common, for ranking endpoints by locality. */
export type RoutingScope = "Region" | "Zone" | "Subzone" | "Node" | "Cluster" | "Network";

/** How a service chooses among its endpoints (`docs/spec/xds-state.md` 4.5). */
export interface LoadBalancer {
  readonly routingPreferences: readonly RoutingScope[];
  readonly mode: "Standard" | "Strict" | "Failover" | "Passthrough";
  readonly healthPolicy: "OnlyHealthy" | "AllowAll";
}

/** One of several waypoints of a service, chosen with a chance in proportion to its weight. */
export interface WeightedWaypoint {
  readonly destination: GatewayAddress;
  readonly weight: number;
}

/** A service of the mesh (`docs/spec/xds-state.md` 1.5). Its endpoints are held by the store. */
export interface Service {
  readonly key: NamespacedHostname;
  readonly name: string;
  readonly namespace: string;
  /** May be a literal wildcard, `*.example.com`. */
  readonly hostname: string;
  readonly vips: readonly NetworkAddress[];
  readonly cidrVips: readonly CidrVip[];
  readonly ports: PortMap;
  /** As the control plane sent them; a name that is no SPIFFE id never matches. */
  readonly subjectAltNames: readonly string[];
  readonly waypoint: GatewayAddress | null;
  readonly weightedWaypoints: readonly WeightedWaypoint[];
  readonly loadBalancer: LoadBalancer | null;
  /** Which addresses of an endpoint may be used; null and Dual: all. */
  readonly ipFamilies: "Dual" | "IPv4" | "IPv6" | null;
  /** Preferred over services of the same name in other namespaces. */
  readonly canonical: boolean;
  readonly visibility: "Public" | "Namespace";
}

/** A condition on a text. `Presence`: the text is not empty. */
export type StringMatch =
  | { readonly kind: "Exact" | "Prefix" | "Suffix"; readonly value: string }
  | { readonly kind: "Presence" };

/** A condition on the service account of the peer. */
export interface ServiceAccountMatch {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** All fields must hold (AND); within a list one value is enough (OR); an empty list is no condition. */
export interface Match {
  readonly namespaces: readonly StringMatch[];
  readonly notNamespaces: readonly StringMatch[];
  readonly principals: readonly StringMatch[];
  readonly notPrincipals: readonly StringMatch[];
  readonly serviceAccounts: readonly ServiceAccountMatch[];
  readonly notServiceAccounts: readonly ServiceAccountMatch[];
  readonly sourceIps: readonly Cidr[];
  readonly notSourceIps: readonly Cidr[];
  readonly destinationIps: readonly Cidr[];
  readonly notDestinationIps: readonly Cidr[];
  readonly destinationPorts: readonly number[];
  readonly notDestinationPorts: readonly number[];
}

/** Alternatives (OR). */
export type Clause = readonly Match[];
/** Conditions (AND). */
export type Rule = readonly Clause[];

/** An authorization policy (`docs/spec/xds-state.md` 1.8, 5). */
export interface Policy {
  readonly name: string;
  readonly namespace: string;
  readonly scope: "Global" | "Namespace" | "WorkloadSelector";
  readonly action: "Allow" | "Deny";
  /** Evaluated and reported, never enforced. */
  readonly dryRun: boolean;
  /** Alternatives (OR). */
  readonly rules: readonly Rule[];
}

/** Brands the uid of an xDS resource; every text is a valid uid. */
export function workloadUid(text: string): WorkloadUid {
  return text as WorkloadUid;
}

/** The key of a service from its parts. */
export function namespacedHostname(namespace: string, hostname: string): NamespacedHostname {
  return `${namespace}/${hostname}` as NamespacedHostname;
}

/** Splits at the first `/`: `a/b/c` is `b/c` in `a`. Null without a `/` (`docs/spec/xds-state.md` X16, X17). */
export function parseNamespacedHostname(
  text: string,
): { readonly key: NamespacedHostname; readonly namespace: string; readonly hostname: string } | null {
  const slash = text.indexOf("/");
  if (slash < 0) return null;
  return { key: text as NamespacedHostname, namespace: text.slice(0, slash), hostname: text.slice(slash + 1) };
}

/** Brands the name of an xDS policy resource; every text is a valid key. */
export function policyKey(text: string): PolicyKey {
  return text as PolicyKey;
}

/** The key under which xDS sends `policy`. */
export function keyOfPolicy(policy: Policy): PolicyKey {
  return `${policy.namespace}/${policy.name}` as PolicyKey;
}

/** A match with empty lists only, to add conditions to. By itself it never matches. */
export const EMPTY_MATCH: Match = Object.freeze({
  namespaces: [],
  notNamespaces: [],
  principals: [],
  notPrincipals: [],
  serviceAccounts: [],
  notServiceAccounts: [],
  sourceIps: [],
  notSourceIps: [],
  destinationIps: [],
  notDestinationIps: [],
  destinationPorts: [],
  notDestinationPorts: [],
});
