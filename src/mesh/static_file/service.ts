/** Services of the static file. */
import type { ServiceChange } from "../model/changes.ts";
import { parseCidr } from "../model/cidr.ts";
import {
  type CidrVip,
  type Endpoint,
  type LoadBalancer,
  namespacedHostname,
  type WeightedWaypoint,
  workloadUid,
} from "../model/model.ts";
import type { Field } from "./field.ts";
import { MAX_U32, readGateway, readHealth, readNetworkAddress, readPorts } from "./values.ts";

const KEYS = [
  "name",
  "namespace",
  "hostname",
  "vips",
  "ports",
  "cidrVips",
  "endpoints",
  "subjectAltNames",
  "waypoint",
  "weightedWaypoints",
  "loadBalancer",
  "ipFamilies",
  "canonical",
  "visibility",
];

/** Reads an item of `services`. */
export function readService(field: Field): ServiceChange {
  const fields = field.object(KEYS);
  const namespace = fields.required("namespace").string();
  const hostname = fields.required("hostname").string();
  const waypoint = fields.nullable("waypoint");
  const loadBalancer = fields.nullable("loadBalancer");
  const service = {
    key: namespacedHostname(namespace, hostname),
    name: fields.required("name").string(),
    namespace,
    hostname,
    vips: fields.required("vips").list().map(readNetworkAddress),
    cidrVips: fields.list("cidrVips", readCidrVip),
    ports: readPorts(fields.required("ports")),
    subjectAltNames: fields.list("subjectAltNames", (name) => name.string("a SPIFFE id")),
    waypoint: waypoint === null ? null : readGateway(waypoint),
    weightedWaypoints: fields.list("weightedWaypoints", readWeightedWaypoint),
    loadBalancer: loadBalancer === null ? null : readLoadBalancer(loadBalancer),
    ipFamilies: fields.nullable("ipFamilies")?.oneOf(["Dual", "IPv4", "IPv6"]) ?? null,
    canonical: fields.optional("canonical")?.boolean() ?? false,
    visibility: fields.optional("visibility")?.oneOf(["Public", "Namespace"]) ?? "Public",
  };
  const endpoints = fields.optional("endpoints")?.entries().map(([, endpoint]) => readEndpoint(endpoint)) ?? [];
  return { kind: "service", service, endpoints };
}

function readCidrVip(field: Field): CidrVip {
  const fields = field.object(["network", "cidr"], false);
  const cidr = fields.required("cidr").parsed("a CIDR block, such as 10.0.0.0/24", parseCidr);
  return { network: fields.required("network").string(), cidr };
}

/** Reads a value of the `endpoints` of a service. */
export function readEndpoint(field: Field): Endpoint {
  const fields = field.object(["workloadUid", "port", "status"]);
  return {
    workloadUid: workloadUid(fields.required("workloadUid").string()),
    ports: readPorts(fields.required("port")),
    status: readHealth(fields.required("status")),
  };
}

function readWeightedWaypoint(field: Field): WeightedWaypoint {
  const fields = field.object(["destination", "weight"]);
  return {
    destination: readGateway(fields.required("destination")),
    weight: fields.required("weight").integer(MAX_U32),
  };
}

function readLoadBalancer(field: Field): LoadBalancer {
  const fields = field.object(["routingPreferences", "mode", "healthPolicy"]);
  const scopes = ["Region", "Zone", "Subzone", "Node", "Cluster", "Network"] as const;
  return {
    routingPreferences: fields.required("routingPreferences").list().map((scope) => scope.oneOf(scopes)),
    mode: fields.required("mode").oneOf(["Standard", "Strict", "Failover", "Passthrough"]),
    healthPolicy: fields.required("healthPolicy").oneOf(["OnlyHealthy", "AllowAll"]),
  };
}
