/**
 * What the control plane says about the mesh, as plain values: workloads, services, policies.
 *
 * The shapes follow the config dump (`docs/spec/config-admin.md` 4.4), so that a value can be read beside it. Values
 * are never changed after they were made, hold nothing that a structured clone would lose, and are shared freely.
 */
import type { Ip } from "../../net/address.ts";
import type { Cidr } from "./cidr.ts";

/** The primary key of a workload, `Kubernetes//Pod/shop/cart-0`. Opaque text, may be empty in a static file. */
export type WorkloadUid = string & { readonly _: "WorkloadUid" };

/** `namespace/hostname`, the key of a service. Made only by this file. */
export type NamespacedHostname = string & { readonly _: "NamespacedHostname" };

/** The key of a policy: the name of its xDS resource, `namespace/name`. */
export type PolicyKey = string & { readonly _: "PolicyKey" };

/** Service port to target port. Target 0 means a named port: each endpoint says its own. */
export type PortMap = ReadonlyMap<number, number>;

export type WorkloadProtocol = "TCP" | "HBONE";
export type Health = "Healthy" | "Unhealthy";

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

/** How bytes reach the application behind a waypoint pod. Port null: the port that was asked for. */
export interface ApplicationTunnel {
  readonly protocol: "NONE" | "PROXY";
  readonly port: number | null;
}

export interface Workload {
  readonly uid: WorkloadUid;
  readonly name: string;
  readonly namespace: string;
  readonly trustDomain: string;
  readonly serviceAccount: string;
  /** The empty name is the default network. */
  readonly network: string;
  readonly workloadIps: readonly Ip[];
  /** What the workload itself speaks: HBONE, or plain TCP. */
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
  /** To be resolved where no address is usable; empty: none. */
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

export interface NetworkAddress {
  readonly network: string;
  readonly ip: Ip;
}

export interface CidrVip {
  readonly network: string;
  readonly cidr: Cidr;
}

export type RoutingScope = "Region" | "Zone" | "Subzone" | "Node" | "Cluster" | "Network";

export interface LoadBalancer {
  readonly routingPreferences: readonly RoutingScope[];
  readonly mode: "Standard" | "Strict" | "Failover" | "Passthrough";
  readonly healthPolicy: "OnlyHealthy" | "AllowAll";
}

export interface WeightedWaypoint {
  readonly destination: GatewayAddress;
  readonly weight: number;
}

export interface Service {
  readonly key: NamespacedHostname;
  readonly name: string;
  readonly namespace: string;
  /** May be a literal wildcard, `*.example.com`. */
  readonly hostname: string;
  readonly vips: readonly NetworkAddress[];
  readonly cidrVips: readonly CidrVip[];
  readonly ports: PortMap;
  /** As the control plane wrote them; those that are no SPIFFE id are never matched. */
  readonly subjectAltNames: readonly string[];
  readonly waypoint: GatewayAddress | null;
  readonly weightedWaypoints: readonly WeightedWaypoint[];
  readonly loadBalancer: LoadBalancer | null;
  /** Which addresses of an endpoint may be used; null and Dual: all. */
  readonly ipFamilies: "Dual" | "IPv4" | "IPv6" | null;
  /** Wins over services of the same name in other namespaces. */
  readonly canonical: boolean;
  readonly visibility: "Public" | "Namespace";
}

export type StringMatch =
  | { readonly kind: "Exact" | "Prefix" | "Suffix"; readonly value: string }
  | { readonly kind: "Presence" };

export interface ServiceAccountMatch {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** All fields must hold (AND); within a list one value is enough (OR); an empty list says nothing. */
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

export function workloadUid(text: string): WorkloadUid {
  return text as WorkloadUid;
}

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

export function policyKey(text: string): PolicyKey {
  return text as PolicyKey;
}

export function keyOfPolicy(policy: Policy): PolicyKey {
  return `${policy.namespace}/${policy.name}` as PolicyKey;
}

/** What every list of a {@link Match} is before a value is added. Matches nothing as it stands. */
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
