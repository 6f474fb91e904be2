/** Decodes `istio.workload.Service` (`docs/spec/xds-state.md` 1.3, 1.8). */
import type { ServiceChange } from "../mesh/model/changes.ts";
import { DEFAULT_SERVICE } from "../mesh/model/defaults.ts";
import {
  type CidrVip,
  type GatewayAddress,
  type LoadBalancer,
  namespacedHostname,
  type NetworkAddress,
  type RoutingScope,
  type Service,
  type WeightedWaypoint,
} from "../mesh/model/model.ts";
import { appended } from "../mesh/state/short_list.ts";
import {
  cidrOf,
  ipOf,
  isHostLength,
  type MeshReader,
  type Mutable,
  NETWORK_ADDRESS,
  newWireAddress,
  Unacceptable,
  unknownNumber,
  type WireAddress,
} from "./mesh_reader.ts";
import { type FieldTable, readFields, readMessage } from "./wire_reader.ts";

type MutableService = Mutable<Service>;

/** The number 0, AUTOMATIC, means no restriction. */
const IP_FAMILIES = [null, "IPv4", "IPv6", "Dual"] as const;
const MODES = ["Standard", "Strict", "Failover", "Passthrough"] as const;
const HEALTH_POLICIES = ["OnlyHealthy", "AllowAll"] as const;
/** The number 0 is defined but not valid. */
const SCOPES: readonly (RoutingScope | null)[] = [null, "Region", "Zone", "Subzone", "Node", "Cluster", "Network"];

const SERVICE: FieldTable<MutableService, MeshReader> = {
  1: (service, r) => service.name = r.text(),
  2: (service, r) => service.namespace = r.commonText(),
  3: (service, r) => service.hostname = r.text(),
  4: (service, r) => addAddress(service, readMessage(r, NETWORK_ADDRESS, newWireAddress())),
  5: (service, r) => service.ports = service.ports.size === 0 ? r.ports() : new Map([...service.ports, ...r.ports()]),
  6: (service, r) => service.subjectAltNames = appended(service.subjectAltNames, r.commonText()),
  7: (service, r) => service.waypoint = r.gateway(),
  8: (service, r) => service.loadBalancer = readMessage(r, LOAD_BALANCING, newLoadBalancer()),
  9: (service, r) => service.ipFamilies = r.enum(IP_FAMILIES),
  11: (service, r) => service.canonical = r.bool(),
  13: (service, r) => service.weightedWaypoints = appended(service.weightedWaypoints, readWeightedWaypoint(r)),
  // Unknown numbers, of later versions, mean public.
  14: (service, r) => service.visibility = r.int32() === 1 ? "Namespace" : "Public",
};

const LOAD_BALANCING: FieldTable<MutableLoadBalancer, MeshReader> = {
  1: (balancer, r) => r.numbers((scope) => balancer.routingPreferences.push(scopeOf(scope))),
  2: (balancer, r) => balancer.mode = r.enum(MODES),
  3: (balancer, r) => balancer.healthPolicy = r.enum(HEALTH_POLICIES),
};

const WEIGHTED_WAYPOINT: FieldTable<MutableWeightedWaypoint, MeshReader> = {
  1: (waypoint, r) => waypoint.destination = r.gateway(),
  2: (waypoint, r) => waypoint.weight = r.uint32(),
};

/** Decodes the message that the reader has opened. Throws `Malformed` or `Unacceptable`. */
export function decodeService(reader: MeshReader): ServiceChange {
  const service = readFields(reader, SERVICE, newService());
  service.key = namespacedHostname(service.namespace, service.hostname);
  return { kind: "service", service, endpoints: NO_ENDPOINTS };
}

const NO_ENDPOINTS: ServiceChange["endpoints"] = [];

/** All properties are listed, so that all services have the same hidden class. */
function newService(): MutableService {
  const { key, vips, cidrVips, ports, subjectAltNames, weightedWaypoints } = DEFAULT_SERVICE;
  return {
    key,
    name: "",
    namespace: "",
    hostname: "",
    vips,
    cidrVips,
    ports,
    subjectAltNames,
    waypoint: null,
    weightedWaypoints,
    loadBalancer: null,
    ipFamilies: null,
    canonical: false,
    visibility: "Public",
  };
}

/** Adds an address, or a block where the length is shorter than the address. */
function addAddress(service: MutableService, { network, address, length }: WireAddress): void {
  const ip = ipOf(address);
  if (length === null || isHostLength(address, length)) {
    service.vips = appended<NetworkAddress>(service.vips, { network, ip });
    return;
  }
  const cidr = cidrOf(address, length);
  if (cidr === null) throw new Unacceptable(`invalid cidr: ${ip}/${length}`);
  service.cidrVips = appended<CidrVip>(service.cidrVips, { network, cidr });
}

type MutableLoadBalancer = Mutable<Omit<LoadBalancer, "routingPreferences">> & { routingPreferences: RoutingScope[] };

function newLoadBalancer(): MutableLoadBalancer {
  return { routingPreferences: [], mode: "Standard", healthPolicy: "OnlyHealthy" };
}

function scopeOf(value: number): RoutingScope {
  const scope = SCOPES[value];
  if (scope === undefined) throw unknownNumber(value);
  if (scope === null) throw new Unacceptable("unknown enum: invalid target");
  return scope;
}

interface MutableWeightedWaypoint {
  destination: GatewayAddress | null;
  weight: number;
}

function newWeightedWaypoint(): MutableWeightedWaypoint {
  return { destination: null, weight: 0 };
}

function readWeightedWaypoint(reader: MeshReader): WeightedWaypoint {
  const { destination, weight } = readMessage(reader, WEIGHTED_WAYPOINT, newWeightedWaypoint());
  if (destination === null) throw new Unacceptable("nonempty gateway address is missing address");
  return { destination, weight };
}
