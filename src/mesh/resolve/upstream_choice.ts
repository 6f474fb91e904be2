/** Finds the workload that serves a target address (`docs/spec/xds-state.md` 4.3 to 4.8). */
import { type Ip, isIpv4, type SocketAddress } from "../../net/address.ts";
import type { Random } from "../state/endpoint_pool.ts";
import { buildPool, type ResolutionMode, type Tried } from "./build_pool.ts";
import type { Service, Workload } from "../model/model.ts";
import { placeText, type Trace } from "../model/reasons.ts";
import type { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";
import { Upstream } from "../model/upstream.ts";

const PORTS = 0x10000;

/**
 * An endpoint of the best service with this address, else the workload that has it. Null where neither exists, where
 * the service has no endpoint for the port, and for a service in passthrough mode, which uses the original destination.
 * `tried`: endpoints that are chosen only where there are no others.
 */
export function findUpstream(
  state: MeshState,
  network: string,
  source: Workload,
  target: SocketAddress,
  mode: ResolutionMode,
  random: Random,
  trace: Trace,
  tried: Tried = null,
): Upstream | null {
  const entry = state.serviceByVip(network, target.ip, source.namespace);
  if (entry !== null) return throughService(state, entry, source, target.port, mode, random, trace, tried);
  const workload = state.workloadByAddress(network, target.ip);
  if (workload === null) {
    trace?.push({ rule: "upstream.none", text: `no workload or service has ${placeText(network, target.ip)}` });
    return null;
  }
  trace?.push({ rule: "upstream.workload", text: `${workload.uid} has ${placeText(network, target.ip)}` });
  return new Upstream(workload, target.port, null);
}

/** Like {@link findUpstream} where the service of the address is known. */
export function throughService(
  state: MeshState,
  entry: ServiceEntry,
  source: Workload,
  port: number,
  mode: ResolutionMode,
  random: Random,
  trace: Trace,
  tried: Tried = null,
): Upstream | null {
  if (entry.service.loadBalancer?.mode !== "Passthrough") {
    return chooseEndpoint(state, entry, source, port, mode, random, trace, tried);
  }
  trace?.push({ rule: "upstream.passthrough", text: `${entry.service.key} uses the original destination` });
  return null;
}

/** Ports of a service listed in a message. */
const PORTS_SHOWN = 8;

function noPortText({ hostname, ports }: Service, port: number): string {
  const shown = [...ports.keys()].slice(0, PORTS_SHOWN).join(", ");
  const has = ports.size > PORTS_SHOWN ? `${shown} and ${ports.size - PORTS_SHOWN} more` : shown || "none";
  return `found service ${hostname}, but port ${port} was unknown (it has ${has})`;
}

/** One endpoint of the service for a client like `source`, or null. */
export function chooseEndpoint(
  state: MeshState,
  entry: ServiceEntry,
  source: Workload,
  port: number,
  mode: ResolutionMode,
  random: Random,
  trace: Trace,
  tried: Tried = null,
): Upstream | null {
  const { service } = entry;
  if (mode === "standard" && !service.ports.has(port)) {
    trace?.push({ rule: "upstream.no-port", text: noPortText(service, port) });
    return null;
  }
  const pool = poolOf(state, entry, source, port, mode, trace, tried);
  if (pool.isEmpty) {
    trace?.push({ rule: "upstream.no-endpoint", text: `no usable endpoint of ${service.key}` });
    return null;
  }
  if (pool.size > 1) {
    trace?.push({
      rule: "upstream.choice",
      text: `${service.key}: one of ${pool.size} endpoints`,
      options: pool.options,
    });
  }
  const upstream = pool.pick(random);
  if (upstream === null) {
    trace?.push({ rule: "upstream.no-port", text: noPortText(service, port) });
    return null;
  }
  trace?.push({
    rule: "upstream.endpoint",
    subject: upstream.workload.uid,
    text: `${service.key}: ${upstream.workload.uid} port ${upstream.port}`,
  });
  return upstream;
}

function poolOf(
  state: MeshState,
  entry: ServiceEntry,
  source: Workload,
  port: number,
  mode: ResolutionMode,
  trace: Trace,
  tried: Tried,
) {
  const key = (state.placements.idOf(source) * PORTS + port) * 2 + (mode === "waypoint" ? 1 : 0);
  // Reasons are collected while a pool is built, so with a trace it is always built anew.
  const cached = trace === null && tried === null ? entry.pool(key) : undefined;
  if (cached !== undefined) return cached;
  const avoided = { health: state.health, tried };
  const pool = buildPool(entry, (uid) => state.workload(uid), source, port, mode, avoided, trace);
  if (tried === null) entry.cachePool(key, pool);
  return pool;
}

/**
 * The address of `workload` to dial: the original one if it has that, else one of the same family, else the first; of
 * those that the service's IP families allow. Null: it has no such address.
 */
export function chooseIp(workload: Workload, families: Service["ipFamilies"], original: Ip): Ip | null {
  const ips = workload.workloadIps;
  if (ips.includes(original)) return original;
  const v4 = isIpv4(original);
  let first: Ip | null = null;
  for (const ip of ips) {
    const isV4 = isIpv4(ip);
    if ((families === "IPv4" && !isV4) || (families === "IPv6" && isV4)) continue;
    if (isV4 === v4) return ip;
    first ??= ip;
  }
  return first;
}
