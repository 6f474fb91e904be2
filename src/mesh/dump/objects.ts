/**
 * The objects of the mesh as the config dump shows them (`docs/spec/config-admin.md` 4.4), as values for the JSON
 * writer. Fields with default values are left out where the format leaves them out. Keys are in sorted order where that
 * is free.
 */
import type { ServiceChange, WorkloadChange } from "../model/changes.ts";
import {
  type Endpoint,
  type GatewayAddress,
  type Match,
  type Policy,
  type PortMap,
  type Service,
  type StringMatch,
  type Workload,
} from "../model/model.ts";
import type { StaticFile } from "../static_file/static_file.ts";

/** A plain JSON value. */
export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
/** A plain JSON object. */
export type JsonObject = { readonly [key: string]: Json };

/** The section `staticConfig`. */
export function dumpStaticFile(file: StaticFile): JsonObject {
  return {
    workloads: file.workloads.map(dumpStaticWorkload),
    services: file.services.map(dumpStaticService),
    policies: file.policies.map(({ policy }) => dumpPolicy(policy)),
  };
}

/** In the static file, `services` has the ports of the workload for each service. */
function dumpStaticWorkload({ workload, endpoints }: WorkloadChange): JsonObject {
  const services = Object.fromEntries([...endpoints].map(([key, ports]) => [key, dumpPorts(ports)]));
  return { ...dumpWorkload(workload), services };
}

function dumpStaticService({ service, endpoints }: ServiceChange): JsonObject {
  const byUid = endpoints.map((endpoint) => [endpoint.workloadUid, dumpEndpoint(endpoint)]);
  return { ...dumpService(service), endpoints: Object.fromEntries(byUid) };
}

/** An item of the section `workloads`. */
export function dumpWorkload(workload: Workload): JsonObject {
  const { locality, applicationTunnel: tunnel } = workload;
  return {
    ...(tunnel === null ? {} : { applicationTunnel: { port: tunnel.port, protocol: tunnel.protocol } }),
    ...unlessEmpty("authorizationPolicies", workload.authorizationPolicies),
    ...unlessEmpty("canonicalName", workload.canonicalName),
    ...unlessEmpty("canonicalRevision", workload.canonicalRevision),
    capacity: workload.capacity,
    clusterId: workload.clusterId,
    ...unlessEmpty("hostname", workload.hostname),
    ...(locality.region + locality.zone + locality.subzone === "" ? {} : { locality: { ...locality } }),
    name: workload.name,
    namespace: workload.namespace,
    ...(workload.nativeTunnel ? { nativeTunnel: true } : {}),
    ...unlessEmpty("network", workload.network),
    ...gatewayField("networkGateway", workload.networkGateway),
    networkMode: workload.networkMode,
    ...unlessEmpty("node", workload.node),
    protocol: workload.protocol,
    ...unlessEmpty("serviceAccount", workload.serviceAccount),
    ...unlessEmpty("services", workload.services),
    status: workload.status,
    ...unlessEmpty("trustDomain", workload.trustDomain),
    ...unlessEmpty("uid", workload.uid),
    ...gatewayField("waypoint", workload.waypoint),
    workloadIps: workload.workloadIps,
    ...unlessEmpty("workloadName", workload.workloadName),
    ...unlessEmpty("workloadType", workload.workloadType),
  };
}

/** An item of the section `services`, without its endpoints. */
export function dumpService(service: Service): JsonObject {
  const { loadBalancer: balancer, ipFamilies } = service;
  return {
    canonical: service.canonical,
    ...unlessEmpty("cidrVips", service.cidrVips.map(({ network, cidr }) => ({ cidr, network }))),
    hostname: service.hostname,
    ...(ipFamilies === null ? {} : { ipFamilies }),
    ...(balancer === null ? {} : {
      loadBalancer: {
        healthPolicy: balancer.healthPolicy,
        mode: balancer.mode,
        routingPreferences: balancer.routingPreferences,
      },
    }),
    name: service.name,
    namespace: service.namespace,
    ports: dumpPorts(service.ports),
    subjectAltNames: service.subjectAltNames,
    vips: service.vips.map(({ network, ip }) => `${network}/${ip}`),
    visibility: service.visibility,
    ...gatewayField("waypoint", service.waypoint),
    ...unlessEmpty(
      "weightedWaypoints",
      service.weightedWaypoints.map(({ destination, weight }) => ({ destination: dumpGateway(destination), weight })),
    ),
  };
}

/** An item of the section `policies`. */
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

/** A value of the `endpoints` of a service. */
export function dumpEndpoint({ workloadUid, ports, status }: Endpoint): JsonObject {
  return { port: dumpPorts(ports), status, workloadUid };
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
