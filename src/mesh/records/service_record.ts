/** A service as a record (`record_memory.ts`). Endpoints that its own value lists are not part of it. */
import type { Ip } from "../../net/address.ts";
import type { Cidr } from "../model/cidr.ts";
import type { LoadBalancer, NamespacedHostname, RoutingScope, Service, WeightedWaypoint } from "../model/model.ts";
import { readGateway, writeGateway } from "./fields.ts";
import { HEAD, IS_SERVICE, type Location } from "./record_memory.ts";
import type { RecordReader } from "./record_reader.ts";
import type { RecordWriter } from "./record_writer.ts";
import { hashOfAddress, hashOfText } from "./text_hash.ts";

/** Flags of a record of a service. */
export const SERVICE = {
  canonical: 1,
  /** Visible in its own namespace only. */
  namespaceOnly: 2,
  hasLoadBalancer: 4,
  /** Unhealthy workloads are endpoints too. */
  allowAll: 8,
  hasCidrVips: 16,
} as const;

/** The order of the families' numbers in records. */
const IP_FAMILIES = [null, "Dual", "IPv4", "IPv6"] as const;

/** Writes the record. Returns its bytes, which are valid until the next one. */
export function writeService(writer: RecordWriter, seed: number, service: Service): Uint8Array {
  const addresses = new Set(service.vips.map(({ network, ip }) => hashOfAddress(seed, network, ip)));
  writer.begin({
    hash: hashOfText(seed, service.key),
    flags: flagsOf(service),
    addresses: [...addresses],
    links: [hashOfText(seed, service.hostname.toLowerCase())],
  });
  writer.text(service.key);
  writer.commonText(service.namespace);
  writer.text(service.name);
  writer.text(service.hostname);
  writer.number(service.vips.length);
  for (const { network, ip } of service.vips) {
    writer.text(network);
    writer.text(ip);
  }
  writer.number(service.cidrVips.length);
  for (const { network, cidr } of service.cidrVips) {
    writer.text(network);
    writer.text(cidr);
  }
  writer.ports(service.ports);
  writer.texts(service.subjectAltNames);
  writeGateway(writer, service.waypoint);
  writer.number(service.weightedWaypoints.length);
  for (const { destination, weight } of service.weightedWaypoints) {
    writeGateway(writer, destination);
    writer.number(weight);
  }
  if (service.loadBalancer !== null) writeLoadBalancer(writer, service.loadBalancer);
  writer.number(IP_FAMILIES.indexOf(service.ipFamilies));
  return writer.end();
}

/** Reads the service. All services have the same hidden class. */
export function readService(reader: RecordReader, at: Location): Service {
  const flags = reader.memory.head(at, HEAD.flags);
  reader.open(at);
  return {
    key: reader.text() as NamespacedHostname,
    namespace: reader.commonText(),
    name: reader.text(),
    hostname: reader.text(),
    vips: list(reader, () => ({ network: reader.commonText(), ip: reader.text() as Ip })),
    cidrVips: list(reader, () => ({ network: reader.commonText(), cidr: reader.text() as Cidr })),
    ports: reader.ports(),
    subjectAltNames: reader.texts(),
    waypoint: readGateway(reader),
    weightedWaypoints: list(reader, (): WeightedWaypoint => {
      return { destination: readGateway(reader)!, weight: reader.number() };
    }),
    loadBalancer: flags & SERVICE.hasLoadBalancer ? readLoadBalancer(reader) : null,
    ipFamilies: IP_FAMILIES[reader.number()]!,
    canonical: (flags & SERVICE.canonical) !== 0,
    visibility: flags & SERVICE.namespaceOnly ? "Namespace" : "Public",
  };
}

/** Returns whether the service is in this namespace and has this name. Null: any. */
export function isServiceNamed(reader: RecordReader, at: Location, namespace: string, name: string | null): boolean {
  reader.open(at);
  reader.skipText();
  return reader.isText(namespace) && (name === null || reader.isText(name));
}

function flagsOf(service: Service): number {
  return IS_SERVICE | (service.canonical ? SERVICE.canonical : 0) |
    (service.visibility === "Namespace" ? SERVICE.namespaceOnly : 0) |
    (service.loadBalancer !== null ? SERVICE.hasLoadBalancer : 0) |
    (service.loadBalancer?.healthPolicy === "AllowAll" ? SERVICE.allowAll : 0) |
    (service.cidrVips.length > 0 ? SERVICE.hasCidrVips : 0);
}

function writeLoadBalancer(writer: RecordWriter, { routingPreferences, mode, healthPolicy }: LoadBalancer): void {
  writer.commonTexts(routingPreferences);
  writer.commonText(mode);
  writer.commonText(healthPolicy);
}

function readLoadBalancer(reader: RecordReader): LoadBalancer {
  return {
    routingPreferences: reader.texts<RoutingScope>(),
    mode: reader.commonText() as LoadBalancer["mode"],
    healthPolicy: reader.commonText() as LoadBalancer["healthPolicy"],
  };
}

function list<T>(reader: RecordReader, read: () => T): readonly T[] {
  const count = reader.number();
  return count === 0 ? NONE : Array.from({ length: count }, read);
}

const NONE: readonly never[] = Object.freeze([]);
