/**
 * The mesh as the config dump shows it (`docs/spec/config-admin.md` 4.4): plain values for a JSON writer, keys in no
 * particular order, what has its default left out where the format leaves it out.
 */
import type { WorkloadChange } from "./changes.ts";
import {
  type Endpoint,
  type GatewayAddress,
  type Match,
  type Policy,
  type PortMap,
  type Service,
  type StringMatch,
  type Workload,
  type WorkloadUid,
} from "./model.ts";
import type { MeshState } from "./state.ts";
import type { StaticFile } from "./static_file.ts";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type JsonObject = { readonly [key: string]: Json };

/** The sections `workloads`, `services`, `policies` and `stagedServices`. */
export function dumpMesh(state: MeshState): JsonObject {
  return {
    workloads: [...state.workloads()].sort(by((workload) => workload.uid)).map(dumpWorkload),
    services: [...state.services()].sort(by((entry) => entry.service.hostname))
      .map(({ service, endpoints }) => dumpService(service, endpoints.values())),
    policies: [...state.policies()].sort(by((each) => each.key)).map((each) => dumpPolicy(each.policy)),
    stagedServices: Object.fromEntries(
      [...state.staged].map(([key, endpoints]) => [key, dumpEndpoints(endpoints.values())]),
    ),
  };
}

/** The section `staticConfig`. */
export function dumpStaticFile(file: StaticFile): JsonObject {
  return {
    workloads: file.workloads.map(dumpStaticWorkload),
    services: file.services.map(({ service, endpoints }) => dumpService(service, endpoints)),
    policies: file.policies.map(({ policy }) => dumpPolicy(policy)),
  };
}

/** Unlike elsewhere, `services` says which ports the workload has for each. */
function dumpStaticWorkload({ workload, endpoints }: WorkloadChange): JsonObject {
  const services = Object.fromEntries([...endpoints].map(([key, ports]) => [key, dumpPorts(ports)]));
  return { ...dumpWorkload(workload), services };
}

export function dumpWorkload(workload: Workload): JsonObject {
  const { locality, applicationTunnel: tunnel } = workload;
  return {
    workloadIps: workload.workloadIps,
    protocol: workload.protocol,
    networkMode: workload.networkMode,
    name: workload.name,
    namespace: workload.namespace,
    status: workload.status,
    clusterId: workload.clusterId,
    capacity: workload.capacity,
    ...unlessEmpty("uid", workload.uid),
    ...unlessEmpty("trustDomain", workload.trustDomain),
    ...unlessEmpty("serviceAccount", workload.serviceAccount),
    ...unlessEmpty("network", workload.network),
    ...unlessEmpty("workloadName", workload.workloadName),
    ...unlessEmpty("workloadType", workload.workloadType),
    ...unlessEmpty("canonicalName", workload.canonicalName),
    ...unlessEmpty("canonicalRevision", workload.canonicalRevision),
    ...unlessEmpty("hostname", workload.hostname),
    ...unlessEmpty("node", workload.node),
    ...unlessEmpty("authorizationPolicies", workload.authorizationPolicies),
    ...unlessEmpty("services", workload.services),
    ...(workload.nativeTunnel ? { nativeTunnel: true } : {}),
    ...(tunnel === null ? {} : { applicationTunnel: { protocol: tunnel.protocol, port: tunnel.port } }),
    ...(locality.region + locality.zone + locality.subzone === "" ? {} : { locality: { ...locality } }),
    ...gatewayField("waypoint", workload.waypoint),
    ...gatewayField("networkGateway", workload.networkGateway),
  };
}

export function dumpService(service: Service, endpoints: Iterable<Endpoint>): JsonObject {
  const { loadBalancer: balancer, ipFamilies } = service;
  return {
    name: service.name,
    namespace: service.namespace,
    hostname: service.hostname,
    vips: service.vips.map(({ network, ip }) => `${network}/${ip}`),
    ports: dumpPorts(service.ports),
    endpoints: dumpEndpoints(endpoints),
    subjectAltNames: service.subjectAltNames,
    canonical: service.canonical,
    visibility: service.visibility,
    ...unlessEmpty("cidrVips", service.cidrVips.map(({ network, cidr }) => ({ network, cidr }))),
    ...gatewayField("waypoint", service.waypoint),
    ...unlessEmpty(
      "weightedWaypoints",
      service.weightedWaypoints.map(({ destination, weight }) => ({ destination: dumpGateway(destination), weight })),
    ),
    ...(balancer === null ? {} : {
      loadBalancer: {
        routingPreferences: balancer.routingPreferences,
        mode: balancer.mode,
        healthPolicy: balancer.healthPolicy,
      },
    }),
    ...(ipFamilies === null ? {} : { ipFamilies }),
  };
}

export function dumpPolicy(policy: Policy): JsonObject {
  return {
    name: policy.name,
    namespace: policy.namespace,
    scope: policy.scope,
    action: policy.action,
    dryRun: policy.dryRun,
    rules: policy.rules.map((rule) => rule.map((clause) => clause.map(dumpMatch))),
  };
}

function dumpMatch(match: Match): JsonObject {
  const accounts = (list: Match["serviceAccounts"]) =>
    list.map(({ namespace, serviceAccount }) => ({ namespace, serviceAccount }));
  return {
    ...unlessEmpty("namespaces", match.namespaces.map(dumpString)),
    ...unlessEmpty("notNamespaces", match.notNamespaces.map(dumpString)),
    ...unlessEmpty("principals", match.principals.map(dumpString)),
    ...unlessEmpty("notPrincipals", match.notPrincipals.map(dumpString)),
    ...unlessEmpty("serviceAccounts", accounts(match.serviceAccounts)),
    ...unlessEmpty("notServiceAccounts", accounts(match.notServiceAccounts)),
    ...unlessEmpty("sourceIps", match.sourceIps),
    ...unlessEmpty("notSourceIps", match.notSourceIps),
    ...unlessEmpty("destinationIps", match.destinationIps),
    ...unlessEmpty("notDestinationIps", match.notDestinationIps),
    ...unlessEmpty("destinationPorts", match.destinationPorts),
    ...unlessEmpty("notDestinationPorts", match.notDestinationPorts),
  };
}

function dumpString(match: StringMatch): JsonObject {
  return match.kind === "Presence" ? { Presence: [] } : { [match.kind]: match.value };
}

function dumpEndpoints(endpoints: Iterable<Endpoint>): JsonObject {
  const byUid: Record<WorkloadUid, Json> = {};
  for (const { workloadUid, ports, status } of endpoints) {
    byUid[workloadUid] = { workloadUid, port: dumpPorts(ports), status };
  }
  return byUid;
}

function dumpPorts(ports: PortMap): JsonObject {
  return Object.fromEntries(ports);
}

function gatewayField(key: string, gateway: GatewayAddress | null): JsonObject {
  return gateway === null ? {} : { [key]: dumpGateway(gateway) };
}

function dumpGateway(gateway: GatewayAddress): JsonObject {
  const destination = gateway.kind === "address" ? `${gateway.network}/${gateway.ip}` : gateway.key;
  return { destination, hboneMtlsPort: gateway.hboneMtlsPort };
}

function unlessEmpty(key: string, value: string | readonly Json[]): JsonObject {
  return value.length === 0 ? {} : { [key]: value };
}

/** Bytewise order for ASCII keys. */
function by<T>(key: (value: T) => string): (a: T, b: T) => number {
  return (a, b) => key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0;
}
