/** A workload and its ports for services as a record (`record_memory.ts`). */
import type { Ip } from "../../net/address.ts";
import type { WorkloadChange } from "../model/changes.ts";
import {
  type ApplicationTunnel,
  type Endpoint,
  type NamespacedHostname,
  type PolicyKey,
  type PortMap,
  type Workload,
  type WorkloadUid,
} from "../model/model.ts";
import { readGateway, writeGateway } from "./fields.ts";
import { HEAD, type Location } from "./record_memory.ts";
import type { RecordReader } from "./record_reader.ts";
import type { RecordWriter } from "./record_writer.ts";
import { hashOfAddress, hashOfText } from "./text_hash.ts";

/** Flags of a record of a workload. */
export const WORKLOAD = {
  hostNetwork: 1,
  hbone: 2,
  unhealthy: 4,
  nativeTunnel: 8,
  /** Its uid is that of a pod. */
  pod: 16,
  hasHostname: 32,
  /** Its services are not those for which it has ports, as in a static file. */
  unlisted: 64,
} as const;

/** Writes the record. Returns its bytes, which are valid until the next one. */
export function writeWorkload(writer: RecordWriter, seed: number, change: WorkloadChange): Uint8Array {
  const { workload, endpoints } = change;
  const isListed = endpoints.size === workload.services.length && sameKeys(workload.services, endpoints.keys());
  const { workloadIps, network } = workload;
  const links: number[] = [];
  for (const key of endpoints.keys()) links.push(hashOfText(seed, key));
  const addresses: number[] = [];
  if (workload.networkMode === "Standard") {
    for (const ip of distinct(workloadIps)) addresses.push(hashOfAddress(seed, network, ip));
  }
  writer.begin({ hash: hashOfText(seed, workload.uid), flags: flagsOf(workload, isListed), addresses, links });
  writer.text(workload.uid);
  writer.commonText(workload.node);
  writer.commonText(workload.namespace);
  writer.text(workload.name);
  writer.text(workload.workloadName);
  for (const [key, ports] of endpoints) {
    writer.text(key);
    writer.ports(ports);
  }
  if (!isListed) writer.texts(workload.services);
  writer.commonText(workload.trustDomain);
  writer.text(workload.serviceAccount);
  writer.commonText(network);
  writer.texts(workloadIps);
  writeGateway(writer, workload.waypoint);
  writeGateway(writer, workload.networkGateway);
  writer.commonText(workload.workloadType);
  writer.text(workload.canonicalName);
  writer.commonText(workload.canonicalRevision);
  writer.text(workload.hostname);
  writer.commonText(workload.clusterId);
  writeTunnel(writer, workload.applicationTunnel);
  writer.commonTexts(workload.authorizationPolicies);
  writer.commonText(workload.locality.region);
  writer.commonText(workload.locality.zone);
  writer.commonText(workload.locality.subzone);
  writer.number(workload.capacity);
  return writer.end();
}

/** Reads the workload. All workloads have the same hidden class. */
export function readWorkload(reader: RecordReader, at: Location): Workload {
  const flags = reader.memory.head(at, HEAD.flags);
  const count = reader.memory.head(at, HEAD.links);
  reader.open(at);
  const uid = reader.text() as WorkloadUid;
  const node = reader.commonText(), namespace = reader.commonText();
  const name = reader.text(), workloadName = reader.commonText();
  let services: readonly NamespacedHostname[] = NO_KEYS;
  if (count > 0) services = keysOf(reader, count);
  if (flags & WORKLOAD.unlisted) services = reader.texts();
  return {
    uid,
    name,
    namespace,
    trustDomain: reader.commonText(),
    serviceAccount: reader.commonText(),
    network: reader.commonText(),
    workloadIps: readIps(reader),
    protocol: flags & WORKLOAD.hbone ? "HBONE" : "TCP",
    networkMode: flags & WORKLOAD.hostNetwork ? "HostNetwork" : "Standard",
    status: statusOf(flags),
    waypoint: readGateway(reader),
    networkGateway: readGateway(reader),
    workloadName,
    workloadType: reader.commonText(),
    canonicalName: reader.commonText(),
    canonicalRevision: reader.commonText(),
    hostname: reader.commonText(),
    node,
    clusterId: reader.commonText(),
    nativeTunnel: (flags & WORKLOAD.nativeTunnel) !== 0,
    applicationTunnel: readTunnel(reader),
    authorizationPolicies: reader.texts<PolicyKey>(),
    locality: { region: reader.commonText(), zone: reader.commonText(), subzone: reader.commonText() },
    capacity: reader.number(),
    services,
  };
}

/** Calls `use` for each service for which the workload has ports, with the hash of its key. */
export function eachService(
  reader: RecordReader,
  at: Location,
  use: (key: NamespacedHostname, hash: number) => void,
): void {
  const { memory } = reader;
  const count = memory.head(at, HEAD.links);
  if (count === 0) return;
  const first = HEAD.lists + memory.head(at, HEAD.addresses);
  reader.open(at);
  for (let i = 0; i < TEXTS_BEFORE_SERVICES; i++) reader.skipText();
  keysOf(reader, count).forEach((key, i) => use(key, memory.head(at, first + i)));
}

/** Returns the workload as an endpoint of a service; null where it has no ports for the service. */
export function readEndpoint(reader: RecordReader, at: Location, service: NamespacedHostname): Endpoint | null {
  const count = reader.memory.head(at, HEAD.links);
  reader.open(at);
  const workloadUid = reader.text() as WorkloadUid;
  for (let i = 1; i < TEXTS_BEFORE_SERVICES; i++) reader.skipText();
  let ports: PortMap | null = null;
  for (let i = 0; i < count && ports === null; i++) {
    if (reader.isText(service)) ports = reader.ports();
    else reader.skipPorts();
  }
  return ports === null ? null : { workloadUid, ports, status: statusOf(reader.memory.head(at, HEAD.flags)) };
}

/** Uid, node, namespace, name and workload name. */
const TEXTS_BEFORE_SERVICES = 5;

/**
 * Returns whether the workload is in this namespace and has this name, or belongs to a workload (such as a Deployment) of
 * this name. Null: any.
 */
export function isWorkloadNamed(
  reader: RecordReader,
  at: Location,
  namespace: string | null,
  name: string | null,
): boolean {
  reader.open(at);
  reader.skipText();
  reader.skipText();
  if (namespace === null) reader.skipText();
  else if (!reader.isText(namespace)) return false;
  return name === null || reader.isText(name) || reader.isText(name);
}

/** Returns whether the workload runs on this node. */
export function isOnNode(reader: RecordReader, at: Location, node: string): boolean {
  reader.open(at);
  reader.skipText();
  return reader.isText(node);
}

/** Addresses are not shared, so they do not go by way of the cache. */
function readIps(reader: RecordReader): readonly Ip[] {
  const count = reader.number();
  if (count === 1) return [reader.text() as Ip];
  return count === 0 ? NO_IPS : Array.from({ length: count }, () => reader.text() as Ip);
}

function keysOf(reader: RecordReader, count: number): NamespacedHostname[] {
  const keys = new Array<NamespacedHostname>(count);
  for (let i = 0; i < count; i++) {
    keys[i] = reader.commonText() as NamespacedHostname;
    reader.skipPorts();
  }
  return keys;
}

const NO_KEYS: readonly NamespacedHostname[] = Object.freeze([]);
const NO_IPS: readonly Ip[] = Object.freeze([]);

function statusOf(flags: number): Workload["status"] {
  return flags & WORKLOAD.unhealthy ? "Unhealthy" : "Healthy";
}

function flagsOf(workload: Workload, isListed: boolean): number {
  return (workload.networkMode === "HostNetwork" ? WORKLOAD.hostNetwork : 0) |
    (workload.protocol === "HBONE" ? WORKLOAD.hbone : 0) |
    (workload.status === "Unhealthy" ? WORKLOAD.unhealthy : 0) |
    (workload.nativeTunnel ? WORKLOAD.nativeTunnel : 0) |
    (workload.uid.includes("//Pod/") ? WORKLOAD.pod : 0) |
    (workload.hostname !== "" ? WORKLOAD.hasHostname : 0) |
    (isListed ? 0 : WORKLOAD.unlisted);
}

function sameKeys(list: readonly string[], keys: Iterable<string>): boolean {
  let i = 0;
  for (const key of keys) if (list[i++] !== key) return false;
  return true;
}

/** The addresses without duplicates. */
function distinct(ips: readonly Ip[]): Iterable<Ip> {
  return ips.length < 2 ? ips : new Set(ips);
}

const NO_TUNNEL = 0, WITHOUT_PORT = 1, WITH_PORT = 2;

function writeTunnel(writer: RecordWriter, tunnel: ApplicationTunnel | null): void {
  if (tunnel === null) return writer.number(NO_TUNNEL);
  writer.number(tunnel.port === null ? WITHOUT_PORT : WITH_PORT);
  writer.text(tunnel.protocol);
  if (tunnel.port !== null) writer.number(tunnel.port);
}

function readTunnel(reader: RecordReader): ApplicationTunnel | null {
  const kind = reader.number();
  if (kind === NO_TUNNEL) return null;
  const protocol = reader.commonText() as ApplicationTunnel["protocol"];
  return { protocol, port: kind === WITH_PORT ? reader.number() : null };
}
