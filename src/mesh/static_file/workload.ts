/** Workloads of the static file. */
import { parseIp } from "../../net/address.ts";
import type { WorkloadChange } from "../model/changes.ts";
import {
  type ApplicationTunnel,
  type Locality,
  type NamespacedHostname,
  parseNamespacedHostname,
  policyKey,
  type PortMap,
  type Workload,
  workloadUid,
} from "../model/model.ts";
import type { Field, Fields } from "./field.ts";
import { MAX_U16, MAX_U32, readGateway, readHealth, readPorts } from "./values.ts";

const KEYS = [
  "workloadIps",
  "namespace",
  "services",
  "uid",
  "name",
  "trustDomain",
  "serviceAccount",
  "network",
  "workloadName",
  "workloadType",
  "canonicalName",
  "canonicalRevision",
  "hostname",
  "node",
  "clusterId",
  "protocol",
  "networkMode",
  "status",
  "waypoint",
  "networkGateway",
  "nativeTunnel",
  "applicationTunnel",
  "authorizationPolicies",
  "locality",
  "capacity",
];

const NOWHERE: Locality = Object.freeze({ region: "", zone: "", subzone: "" });

/** Reads an item of `workloads`. Its endpoints have the ports listed under `services`. */
export function readWorkload(field: Field): WorkloadChange {
  const fields = field.object(KEYS);
  const workload = readWorkloadFields(fields);
  return { kind: "workload", workload, endpoints: readServices(fields.required("services")) };
}

/** Reads a workload of a config dump, where `services` lists the keys of services. */
export function readDumpedWorkload(field: Field): Workload {
  const fields = field.object(KEYS);
  const services = fields.list("services", (key) => key.parsed("namespace/hostname", parseNamespacedHostname).key);
  return { ...readWorkloadFields(fields), services };
}

/** All but the services. */
function readWorkloadFields(fields: Fields): Workload {
  const orNull = <T>(key: string, read: (value: Field) => T): T | null => {
    const value = fields.nullable(key);
    return value === null ? null : read(value);
  };
  return {
    uid: workloadUid(fields.string("uid")),
    name: fields.string("name"),
    namespace: fields.required("namespace").string(),
    trustDomain: fields.string("trustDomain"),
    serviceAccount: fields.string("serviceAccount"),
    network: fields.string("network"),
    workloadIps: fields.required("workloadIps").list().map((ip) => ip.parsed("an IP address", parseIp)),
    protocol: fields.optional("protocol")?.oneOf(["TCP", "HBONE"]) ?? "TCP",
    networkMode: fields.optional("networkMode")?.oneOf(["Standard", "HostNetwork"]) ?? "Standard",
    status: fields.optional("status") === null ? "Healthy" : readHealth(fields.required("status")),
    waypoint: orNull("waypoint", readGateway),
    networkGateway: orNull("networkGateway", readGateway),
    workloadName: fields.string("workloadName"),
    workloadType: fields.string("workloadType"),
    canonicalName: fields.string("canonicalName"),
    canonicalRevision: fields.string("canonicalRevision"),
    hostname: fields.string("hostname"),
    node: fields.string("node"),
    clusterId: fields.string("clusterId"),
    nativeTunnel: fields.optional("nativeTunnel")?.boolean() ?? false,
    applicationTunnel: orNull("applicationTunnel", readTunnel),
    authorizationPolicies: fields.list("authorizationPolicies", (key) => policyKey(key.string("namespace/name"))),
    locality: orNull("locality", readLocality) ?? NOWHERE,
    capacity: fields.optional("capacity")?.integer(MAX_U32) ?? 1,
    // As in the native proxy the workload's own list stays empty, so telemetry of inbound connections names no service
    // (`docs/spec/xds-state.md` 2.14).
    services: [],
  };
}

function readServices(field: Field): ReadonlyMap<NamespacedHostname, PortMap> {
  const services = new Map<NamespacedHostname, PortMap>();
  for (const [key, ports] of field.entries()) {
    const parsed = parseNamespacedHostname(key) ?? ports.reject(`failed to parse namespaced hostname: ${key}`);
    services.set(parsed.key, readPorts(ports));
  }
  return services;
}

function readTunnel(field: Field): ApplicationTunnel {
  const fields = field.object(["protocol", "port"]);
  const protocol = fields.required("protocol").oneOf(["NONE", "PROXY"]);
  return { protocol, port: fields.nullable("port")?.integer(MAX_U16) ?? null };
}

function readLocality(field: Field): Locality {
  const fields = field.object(["region", "zone", "subzone"], false);
  return {
    region: fields.required("region").string(),
    zone: fields.required("zone").string(),
    subzone: fields.required("subzone").string(),
  };
}
