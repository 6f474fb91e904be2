/**
 * Where an outbound connection goes (`docs/spec/dataplane.md` 1.5, `docs/spec/xds-state.md` 4.11).
 *
 * ```
 * target ── service with a waypoint ───────────────────────────▶ HBONE to the waypoint
 *   │                                    waypoint is elsewhere ─▶ double HBONE through its gateway
 *   ├── no upstream ── service known ──▶ refusal
 *   │        └──────── else ───────────▶ TCP to the target
 *   ├── upstream on another network ───▶ double HBONE through its gateway
 *   ├── pod with a waypoint, client is not the waypoint ───────▶ HBONE to the waypoint
 *   └── pod that takes HBONE ──────────▶ HBONE to the pod; else TCP to the pod
 * ```
 */
import { formatAddress, type Ip, isIpv4, isLoopback, sameAddress, type SocketAddress } from "../../net/address.ts";
import type { Tried } from "./build_pool.ts";
import type { Random } from "../state/endpoint_pool.ts";
import { type NextHop, referenceText, resolveGateway, waypointOf } from "./gateway.ts";
import type { GatewayAddress, Service, Workload } from "../model/model.ts";
import {
  type Asked,
  needsAddress,
  needsHostname,
  type NeedsLookup,
  RECURSIVE_CALL,
  type Refusal,
  type RefusalCode,
} from "./outcome.ts";
import { placeText, type Reason, reasonsOf, type Trace } from "../model/reasons.ts";
import { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";
import type { Upstream } from "../model/upstream.ts";
import { chooseIp, findUpstream, throughService } from "./upstream_choice.ts";
import { identityOf, serviceIdentities, type SpiffeId } from "../model/workload_identity.ts";

/** A connection that a pod has made. */
export interface OutboundRequest {
  /** The workload this proxy serves. */
  readonly source: Workload;
  /** The client's own address. */
  readonly sourceIp: Ip;
  /** The original destination. */
  readonly target: SocketAddress;
  /** The proxy's own network, `NETWORK`. */
  readonly network: string;
  /** The port on which pods take HBONE, 15008. */
  readonly hbonePort: number;
  /** Names already looked up on demand; null: on-demand lookups are off. */
  readonly asked: Asked;
  /** Workloads of endpoints that this connection has tried without success: others are chosen where there are any. */
  readonly tried: Tried;
}

/** Where and how to connect. */
export interface OutboundRoute {
  readonly kind: "route";
  readonly protocol: "TCP" | "HBONE" | "DOUBLEHBONE";
  /** What {@link actual} is the address of; "outside": nothing in the mesh. */
  readonly leadsTo: "destination" | "waypoint" | "gateway" | "outside";
  /** The address to dial. */
  readonly actual: SocketAddress;
  /** `:authority` of the CONNECT, of both for double HBONE; null for TCP. */
  readonly authority: string | null;
  /** The peer at `actual` must have one of these identities. */
  readonly nextHopIdentities: readonly SpiffeId[];
  /**
   * The same for the inner handshake of double HBONE. Empty: no peer is accepted (`docs/spec/xds-state.md` 8.1 Q13).
   */
  readonly finalIdentities: readonly SpiffeId[];
  /** The workload that is dialled, for pools and telemetry; null where the address is of none. */
  readonly destination: Workload | null;
  /** The endpoint whose address is dialled; null: the address is of none. */
  readonly endpoint: Upstream | null;
  /** Where {@link endpoint} is the gateway of another network: the endpoint of the service behind it. */
  readonly behind: Upstream | null;
  /** The service the client connected to, for telemetry and the `Forwarded` header. */
  readonly service: Service | null;
  readonly because: readonly Reason[];
}

/**
 * The workload to dial has a host name and no address. Resolve `hostname`, choose with `chooseAnswer`, then call
 * `complete`.
 */
export interface NeedsDns {
  readonly kind: "needs-dns";
  readonly hostname: string;
  readonly family: "ipv4" | "ipv6";
  readonly workload: Workload;
  complete(ip: Ip): OutboundRoute;
}

/** The result of {@link resolveOutbound}. */
export type OutboundOutcome = OutboundRoute | NeedsDns | NeedsLookup | Refusal;

/**
 * Refuses connections to the proxy's own ports over loopback or at the pod's own address; checked before anything else.
 *
 * `arrival`: the accepted connection, whose local address is read only here as that costs a system call. A redirected
 * connection has a target that differs from it. Where they are equal the client connected to our port directly, and
 * dialling the target would connect to ourselves again, endlessly. Addresses that the mesh has lead to our inbound
 * side, which refuses; a pod may have further addresses.
 */
export function refuseRecursiveOutbound(
  target: SocketAddress,
  ownPorts: ReadonlySet<number>,
  arrival: { readonly local: SocketAddress } | null = null,
): Refusal | null {
  if (!ownPorts.has(target.port)) return null;
  const own = isLoopback(target.ip) || arrival !== null && sameAddress(target, arrival.local);
  if (!own) return null;
  return refusal("RECURSIVE_CALL", RECURSIVE_CALL, null);
}

/** Resolves an outbound connection. `random` chooses among endpoints and weighted waypoints. */
export function resolveOutbound(
  state: MeshState,
  request: OutboundRequest,
  random: Random,
  trace: Trace = null,
): OutboundOutcome {
  const { source, target, network, tried } = request;
  const found = state.findAddress(network, target.ip, source.namespace);
  if (found === null) {
    const lookup = needsAddress(request.asked, network, target.ip);
    if (lookup !== null) return lookup;
  }
  const entry = found instanceof ServiceEntry ? found : null;
  const service = entry?.service ?? null;
  if (service !== null) {
    const text = `${placeText(network, target.ip)} is service ${service.key}`;
    trace?.push({ rule: "outbound.service", subject: service.key, text });
    const waypoint = waypointOf(service, random, trace);
    if (waypoint !== null) return viaServiceWaypoint(state, request, service, waypoint, random, trace);
  }
  // The lookup above used the proxy's network, this one uses the source's. Usually they are the same.
  const upstream = entry !== null && network === source.network
    ? throughService(state, entry, source, target.port, "standard", random, trace, tried)
    : findUpstream(state, source.network, source, target, "standard", random, trace, tried);
  if (upstream === null) return withoutUpstream(service, request, trace);
  if (upstream.workload.network !== source.network) {
    if (service !== null) return viaGateway(state, request, upstream, service, random, trace);
    return refusal("NO_SERVICE_FOR_TARGET", `no service for target address: ${formatAddress(target)}`, trace);
  }
  const waypoint = service === null ? upstream.workload.waypoint : null;
  if (waypoint !== null && !isFromWaypoint(state, request, waypoint, trace)) {
    return viaWorkloadWaypoint(state, request, upstream, waypoint, random, trace);
  }
  return direct(request, upstream, trace);
}

function viaServiceWaypoint(
  state: MeshState,
  request: OutboundRequest,
  service: Service,
  waypoint: GatewayAddress,
  random: Random,
  trace: Trace,
): OutboundOutcome {
  trace?.push({
    rule: "outbound.service-waypoint",
    text: `${service.key} has waypoint ${referenceText(waypoint)}`,
    decides: true,
  });
  const hop = resolveGateway(state, "waypoint", waypoint, request, random, trace);
  if (hop.kind !== "hop") return hop;
  if (hop.upstream.workload.network !== request.source.network) {
    return viaGateway(state, request, hop.upstream, service, random, trace);
  }
  return dial(hop, { ...TO_WAYPOINT, authority: formatAddress(request.target), service }, trace);
}

function viaWorkloadWaypoint(
  state: MeshState,
  request: OutboundRequest,
  upstream: Upstream,
  waypoint: GatewayAddress,
  random: Random,
  trace: Trace,
): OutboundOutcome {
  const text = `${upstream.workload.uid} has waypoint ${referenceText(waypoint)}`;
  trace?.push({ rule: "outbound.workload-waypoint", text, decides: true });
  const hop = resolveGateway(state, "waypoint", waypoint, request, random, trace);
  if (hop.kind !== "hop") return hop;
  const authority = formatAddress(request.target);
  return dial(hop, { ...TO_WAYPOINT, authority, service: upstream.service }, trace);
}

function withoutUpstream(service: Service | null, { target, asked }: OutboundRequest, trace: Trace): OutboundOutcome {
  if (service !== null && service.loadBalancer?.mode !== "Passthrough") {
    // With on-demand lookups, new endpoints of a known service are not pushed (`docs/spec/observed.md` O3).
    const lookup = service.ports.has(target.port) ? needsHostname(asked, service.key) : null;
    if (lookup !== null) return lookup;
    return refusal("NO_HEALTHY_UPSTREAM", `no healthy upstream: ${formatAddress(target)}`, trace);
  }
  trace?.push({ rule: "outbound.passthrough", text: `plain TCP to ${formatAddress(target)}`, decides: true });
  return {
    kind: "route",
    protocol: "TCP",
    leadsTo: "outside",
    actual: target,
    authority: null,
    nextHopIdentities: [],
    finalIdentities: [],
    destination: null,
    endpoint: null,
    behind: null,
    service: null,
    because: reasonsOf(trace),
  };
}

/** Double HBONE: a tunnel in a tunnel, through the gateway of the other network (`docs/spec/dataplane.md` 1.6). */
function viaGateway(
  state: MeshState,
  request: OutboundRequest,
  upstream: Upstream,
  service: Service,
  random: Random,
  trace: Trace,
): OutboundOutcome {
  const gateway = upstream.workload.networkGateway;
  if (gateway === null) return noValidDestination(upstream.workload, trace);
  const text = `${upstream.workload.uid} is on network "${upstream.workload.network}", behind ${
    referenceText(gateway)
  }`;
  trace?.push({ rule: "outbound.network-gateway", text, decides: true });
  const hop = resolveGateway(state, "network gateway", gateway, request, random, trace);
  if (hop.kind !== "hop") return hop;
  const authority = `${service.hostname}:${request.target.port}`;
  const final = serviceIdentities(upstream.service);
  return dial(hop, { protocol: "DOUBLEHBONE", leadsTo: "gateway", authority, final, service, behind: upstream }, trace);
}

function direct(request: OutboundRequest, upstream: Upstream, trace: Trace): OutboundOutcome {
  const hop: NextHop = { kind: "hop", upstream, original: request.target.ip };
  const { protocol } = upstream.workload;
  trace?.push({ rule: "outbound.direct", text: `${protocol} to ${upstream.workload.uid}`, decides: true });
  const hbonePort = protocol === "HBONE" ? request.hbonePort : null;
  const { service } = upstream;
  return dial(hop, { protocol, leadsTo: "destination", authority: null, hbonePort, final: [], service }, trace);
}

/** A route without the address of its next hop. */
interface PartialRoute {
  readonly protocol: OutboundRoute["protocol"];
  readonly leadsTo: OutboundRoute["leadsTo"];
  /** Null: the endpoint's own address and port. */
  readonly authority: string | null;
  /** Dial this port; the endpoint's own port goes into the authority. */
  readonly hbonePort?: number | null;
  readonly final: readonly SpiffeId[];
  readonly service: Service | null;
  readonly behind?: Upstream;
}

const TO_WAYPOINT = { protocol: "HBONE", leadsTo: "waypoint", final: [] } as const;

function dial(hop: NextHop, partial: PartialRoute, trace: Trace): OutboundOutcome {
  const { workload, service } = hop.upstream;
  const ip = chooseIp(workload, service?.ipFamilies ?? null, hop.original);
  if (ip !== null) return routeTo(ip, hop, partial, trace);
  if (workload.hostname === "") return noValidDestination(workload, trace);
  // Only the name of the next hop is resolved here. Names behind a waypoint or a gateway are resolved there.
  const only = `${workload.uid} is known by the name ${workload.hostname} only`;
  const noName = workload.hostname.startsWith("*.") ? ", which stands for many and has no address of its own" : "";
  trace?.push({ rule: "outbound.dns", text: only + noName });
  return {
    kind: "needs-dns",
    hostname: workload.hostname,
    family: isIpv4(hop.original) ? "ipv4" : "ipv6",
    workload,
    complete: (answer) => routeTo(answer, hop, partial, trace),
  };
}

function routeTo(ip: Ip, { upstream }: NextHop, partial: PartialRoute, trace: Trace): OutboundRoute {
  const at = { ip, port: upstream.port };
  const hbonePort = partial.hbonePort ?? null;
  return {
    kind: "route",
    protocol: partial.protocol,
    leadsTo: partial.leadsTo,
    actual: hbonePort === null ? at : { ip, port: hbonePort },
    authority: partial.protocol === "TCP" ? null : partial.authority ?? formatAddress(at),
    nextHopIdentities: upstream.identities,
    finalIdentities: partial.final,
    destination: upstream.workload,
    endpoint: upstream,
    behind: partial.behind ?? null,
    service: partial.service,
    because: reasonsOf(trace),
  };
}

/** Whether the client is the waypoint itself: it has the waypoint's identity and one of its addresses. */
function isFromWaypoint(
  state: MeshState,
  { source, sourceIp, network }: OutboundRequest,
  reference: GatewayAddress,
  trace: Trace,
): boolean {
  const identity = identityOf(source);
  const found = reference.kind === "address"
    ? state.findAddress(reference.network, reference.ip, null)
    : state.findHostname(reference.key);
  if (identity === null || found === null) return false;
  const isCaller = (workload: Workload | null) =>
    workload !== null && identityOf(workload) === identity && workload.workloadIps.includes(sourceIp);
  const own = found instanceof ServiceEntry ? someEndpoint(state, found, identity, isCaller) : isCaller(found);
  if (own) {
    trace?.push({ rule: "outbound.from-waypoint", text: `${placeText(network, sourceIp)} is that waypoint itself` });
  }
  return own;
}

function someEndpoint(
  state: MeshState,
  entry: ServiceEntry,
  identity: SpiffeId,
  wanted: (workload: Workload | null) => boolean,
): boolean {
  // One lookup in a set excludes ordinary clients.
  if (!entry.identities((uid) => state.workload(uid)).has(identity)) return false;
  for (const uid of entry.endpoints.keys()) if (wanted(state.workload(uid))) return true;
  return false;
}

function noValidDestination({ name, uid, protocol }: Workload, trace: Trace): Refusal {
  const text = `no valid routing destination for workload: Workload{${name} with uid ${uid} (${protocol})}`;
  return refusal("NO_VALID_DESTINATION", text, trace);
}

function refusal(code: RefusalCode, message: string, trace: Trace): Refusal {
  trace?.push({ rule: "outbound.refused", text: message, decides: true });
  return { kind: "refusal", code, message, because: reasonsOf(trace) };
}
