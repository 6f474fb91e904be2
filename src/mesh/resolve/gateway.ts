/**
 * Finds the workload that a reference to a waypoint or an east-west gateway leads to (`docs/spec/xds-state.md` 4.9,
 * 4.10).
 */
import type { Ip, SocketAddress } from "../../net/address.ts";
import type { Tried } from "./build_pool.ts";
import type { Random } from "../state/endpoint_pool.ts";
import type { GatewayAddress, Service, Workload } from "../model/model.ts";
import { type Asked, needsAddress, needsHostname, type NeedsLookup, type Refusal } from "./outcome.ts";
import { placeText, reasonsOf, type Trace } from "../model/reasons.ts";
import { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";
import { Upstream } from "../model/upstream.ts";
import { chooseEndpoint, findUpstream } from "./upstream_choice.ts";

/** How the gateway is used; part of refusal messages. */
type GatewayRole = "waypoint" | "network gateway";

/** The next hop of a connection, and the address whose family the dialled one should have. */
export interface NextHop {
  readonly kind: "hop";
  readonly upstream: Upstream;
  readonly original: Ip;
}

/** The connection that needs the gateway. */
interface GatewayRequest {
  readonly source: Workload;
  /** The client's original destination. */
  readonly target: SocketAddress;
  readonly asked: Asked;
  readonly tried: Tried;
}

/** Resolves `reference` to one workload. A gateway that is not found is a refusal, never direct delivery. */
export function resolveGateway(
  state: MeshState,
  role: GatewayRole,
  reference: GatewayAddress,
  request: GatewayRequest,
  random: Random,
  trace: Trace,
): NextHop | Refusal | NeedsLookup {
  const { source, target, tried } = request;
  const mode = role === "waypoint" ? "waypoint" : "standard";
  const port = reference.hboneMtlsPort;
  if (reference.kind === "address") {
    // The dialled address has the family of the reference, not that of the client (`docs/spec/dataplane.md` OB-14).
    const at = { ip: reference.ip, port };
    const found = state.findAddress(reference.network, reference.ip, null);
    const upstream = findUpstream(state, reference.network, source, at, mode, random, trace, tried);
    if (upstream !== null) return hop(upstream, reference.ip);
    // A service without endpoints is looked up as well: on demand, new endpoints are not pushed
    // (`docs/spec/observed.md` O3).
    const lookup = found instanceof ServiceEntry
      ? needsHostname(request.asked, found.service.key)
      : needsAddress(request.asked, reference.network, reference.ip);
    return lookup ?? unknown(role, debugText(reference), trace);
  }
  const found = state.findHostname(reference.key);
  if (found === null) {
    return needsHostname(request.asked, reference.key) ?? unknown(role, reference.hostname, trace);
  }
  if (!(found instanceof ServiceEntry)) {
    trace?.push({ rule: "gateway.workload", subject: found.uid, text: `${reference.key} is workload ${found.uid}` });
    return hop(new Upstream(found, port, null), target.ip);
  }
  const upstream = chooseEndpoint(state, found, source, port, mode, random, trace, tried);
  if (upstream !== null) return hop(upstream, target.ip);
  return needsHostname(request.asked, reference.key) ?? unknown(role, debugText(reference), trace);
}

function hop(upstream: Upstream, original: Ip): NextHop {
  return { kind: "hop", upstream, original };
}

function unknown(role: GatewayRole, what: string, trace: Trace): Refusal {
  const code = role === "waypoint" ? "UNKNOWN_WAYPOINT" : "UNKNOWN_NETWORK_GATEWAY";
  const message = `unknown ${role}: ${role} ${what} not found`;
  trace?.push({ rule: "gateway.unknown", text: message, decides: true });
  return { kind: "refusal", code, message, because: reasonsOf(trace) };
}

/** The reference as the native proxy's log writes it (`docs/spec/dataplane.md` 1.5.2). */
function debugText(reference: GatewayAddress): string {
  const destination = reference.kind === "address"
    ? `Address(NetworkAddress { network: ${quote(reference.network)}, address: ${reference.ip} })`
    : `Hostname(NamespacedHostname { namespace: ${quote(reference.namespace)}, hostname: ${
      quote(reference.hostname)
    } })`;
  return `GatewayAddress { destination: ${destination}, hbone_mtls_port: ${reference.hboneMtlsPort} }`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}

/**
 * The waypoint of a service for one connection: one of the weighted waypoints where there are weights, else the plain
 * one, else null.
 */
export function waypointOf(service: Service, random: Random, trace: Trace): GatewayAddress | null {
  let total = 0;
  for (const { weight } of service.weightedWaypoints) total += weight;
  if (total === 0) return service.waypoint;
  trace?.push({
    rule: "waypoint.choice",
    text: `${service.key}: one of ${service.weightedWaypoints.length} waypoints by weight`,
    options: service.weightedWaypoints.map(({ destination, weight }) => ({ name: referenceText(destination), weight })),
  });
  let point = random() * total;
  for (const { destination, weight } of service.weightedWaypoints) {
    point -= weight;
    if (point >= 0) continue;
    trace?.push({ rule: "waypoint.weighted", text: `${referenceText(destination)}: weight ${weight} of ${total}` });
    return destination;
  }
  return service.waypoint;
}

/** `namespace/hostname` or an address. */
export function referenceText(reference: GatewayAddress): string {
  return reference.kind === "address" ? placeText(reference.network, reference.ip) : reference.key;
}
