/**
 * Where an HBONE stream or a captured plain connection goes inside its pod (`docs/spec/dataplane.md` 1.7 steps 6 to 16
 * and 1.8, `docs/spec/xds-state.md` 4.12, 4.13).
 */
import { type Ip, isIpv4, LOOPBACK_V4, LOOPBACK_V6, type SocketAddress } from "../../net/address.ts";
import { isAttached } from "./attachment.ts";
import { type Authority, parseAuthority } from "../headers/authority.ts";
import type { Service, Workload } from "../model/model.ts";
import { type Asked, type NeedsLookup, RECURSIVE_CALL, type Refusal, type RefusalCode } from "./outcome.ts";
import { placeText, type Reason, reasonsOf, type Trace } from "../model/reasons.ts";
import { guessService, servicesOf } from "./service_guess.ts";
import type { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";

/** A CONNECT request that arrived at this proxy. */
export interface InboundRequest {
  readonly method: string;
  /** `:authority` as received. */
  readonly authority: string;
  /** The workload this proxy serves. */
  readonly local: Workload;
  /** Local address of the peer's TCP connection. */
  readonly localIp: Ip;
  /** The proxy's own network, `NETWORK`. */
  readonly network: string;
  /** Ports of the proxy itself, which it never dials. */
  readonly ownPorts: ReadonlySet<number>;
  /** `LOCALHOST_APP_TUNNEL`: applications behind a PROXY tunnel are dialled over loopback. */
  readonly localhostAppTunnel: boolean;
  /** `host=` of the `Forwarded` header. */
  readonly forwardedHost: string | null;
  /** Names already looked up on demand; null: on-demand lookups are off. */
  readonly asked: Asked;
}

/** Where the bytes of the connection go. */
export interface InboundRoute {
  readonly kind: "route";
  /** For policies, connection tables and telemetry: the address of the pod and the final port. */
  readonly destination: SocketAddress;
  /** The address to dial: {@link destination}, or the same port on loopback. */
  readonly dial: SocketAddress;
  /** True: dial from a loopback address and not from the peer's. */
  readonly overLoopback: boolean;
  /** The destination for a PROXY v2 header to send first; null: no header. */
  readonly proxyTarget: SocketAddress | null;
  /** The service that the client probably used, for telemetry. */
  readonly service: Service | null;
  readonly because: readonly Reason[];
}

/** A refusal. `status`: the HTTP status of the response. */
export interface InboundRefusal extends Refusal {
  readonly status: 400 | 503;
}

/** Resolves a CONNECT request (`docs/spec/dataplane.md` 1.7 steps 6 to 16). */
export function resolveInbound(
  state: MeshState,
  request: InboundRequest,
  trace: Trace = null,
): InboundRoute | InboundRefusal | NeedsLookup {
  if (request.method !== "CONNECT") {
    return refuse(400, "NOT_CONNECT", `expected method CONNECT, got ${request.method}`, trace);
  }
  const authority = parseAuthority(request.authority);
  if (authority === null) {
    return refuse(400, "INVALID_AUTHORITY", `no valid authority pseudo header: ${request.authority}`, trace);
  }
  return checkAuthority(state, request, authority, trace) ?? nextHop(state, request, authority, trace);
}

/** Null: the authority is one that this workload serves. */
function checkAuthority(
  state: MeshState,
  request: InboundRequest,
  authority: Authority,
  trace: Trace,
): InboundRefusal | NeedsLookup | null {
  if (authority.kind === "hostname") return null;
  const { local, localIp, network, asked } = request;
  const { ip } = authority.address;
  if (ip === localIp) return null;
  if (local.applicationTunnel !== null) {
    trace?.push({ rule: "inbound.application-tunnel", text: `${local.uid} takes traffic for any address` });
    return null;
  }
  const attached = isAttached(state, { local, localIp, network, asked, ip });
  if (attached === false) return refuse(400, "IP_MISMATCH", `ip mismatch: ${localIp} != ${ip}`, trace);
  if (attached !== true) return attached;
  trace?.push({ rule: "inbound.attached", text: `${local.uid} is the waypoint of ${placeText(network, ip)}` });
  return null;
}

function nextHop(
  state: MeshState,
  request: InboundRequest,
  authority: Authority,
  trace: Trace,
): InboundRoute | InboundRefusal {
  if (authority.kind === "address") {
    const { address } = authority;
    return routeToPort(request, address.port, servicesOf(state, request.local), () => address, trace);
  }
  const { hostname, port } = authority;
  const entry = state.serviceByHostname(hostname, request.local.namespace);
  if (entry === null) {
    return refuse(503, "UNKNOWN_HOSTNAME", `no service or workload for hostname: ${hostname}`, trace);
  }
  const target = entry.endpoints.get(request.local.uid)?.ports.get(port) ?? entry.service.ports.get(port) ?? 0;
  if (target === 0) {
    const text = `requested service ${hostname}:${port} found, but cannot resolve port`;
    return refuse(503, "UNRESOLVED_PORT", text, trace);
  }
  trace?.push({ rule: "inbound.service", text: `${hostname}:${port} is port ${target} of ${entry.service.key}` });
  return routeToPort(request, target, [entry], () => vipOf(entry.service, request.network, port), trace);
}

/** `target`: the destination for a PROXY header, computed only where there is an application tunnel. */
function routeToPort(
  request: InboundRequest,
  port: number,
  candidates: readonly ServiceEntry[],
  target: () => SocketAddress | null,
  trace: Trace,
): InboundRoute | InboundRefusal {
  const { local, localIp } = request;
  if (request.ownPorts.has(port)) return refuse(503, "RECURSIVE_CALL", RECURSIVE_CALL, trace);
  const tunnel = local.applicationTunnel;
  const proxyTarget = tunnel === null ? null : target();
  if (tunnel !== null && proxyTarget === null) {
    const text = `requested service ${candidates[0]?.service.hostname} found, but has no IP addresses`;
    return refuse(503, "NO_VIP", text, trace);
  }
  const destination = { ip: localIp, port: tunnel?.port ?? port };
  const overLoopback = request.localhostAppTunnel && tunnel?.protocol === "PROXY";
  trace?.push({
    rule: "inbound.destination",
    text: `the application's port is ${destination.port}${overLoopback ? " over loopback" : ""}`,
    decides: true,
  });
  return {
    kind: "route",
    destination,
    dial: overLoopback ? { ip: isIpv4(localIp) ? LOOPBACK_V4 : LOOPBACK_V6, port: destination.port } : destination,
    overLoopback,
    proxyTarget: tunnel?.protocol === "PROXY" ? proxyTarget : null,
    service: guessService(local, candidates, request.forwardedHost, destination.port),
    because: reasonsOf(trace),
  };
}

/** The service's address for a PROXY header: this network is preferred, then IPv4. */
function vipOf(service: Service, network: string, port: number): SocketAddress | null {
  let best: Ip | null = null;
  let bestRank = -1;
  for (const vip of service.vips) {
    const rank = (vip.network === network ? 2 : 0) + (isIpv4(vip.ip) ? 1 : 0);
    if (rank < bestRank) continue;
    best = vip.ip;
    bestRank = rank;
  }
  return best === null ? null : { ip: best, port };
}

/**
 * A captured plain connection goes to its original destination. It is refused for the proxy's own ports and for the
 * port of a PROXY tunnel: the application there trusts the PROXY header with the peer's identity, which a client that
 * does not come by HBONE could write itself.
 */
export function resolvePassthrough(
  state: MeshState,
  request: { readonly local: Workload; readonly target: SocketAddress; readonly ownPorts: ReadonlySet<number> },
  trace: Trace = null,
): InboundRoute | InboundRefusal {
  const { local, target, ownPorts } = request;
  if (ownPorts.has(target.port)) return refuse(503, "RECURSIVE_CALL", RECURSIVE_CALL, trace);
  const tunnel = local.applicationTunnel;
  if (tunnel?.protocol === "PROXY" && tunnel.port === target.port) {
    const text = `port ${target.port} is that of an application tunnel and takes HBONE only`;
    return refuse(503, "APPLICATION_TUNNEL", text, trace);
  }
  return {
    kind: "route",
    destination: target,
    dial: target,
    overLoopback: false,
    proxyTarget: null,
    service: guessService(local, servicesOf(state, local), null, target.port),
    because: reasonsOf(trace),
  };
}

/**
 * Whether the tunnel came through a gateway of another network, so that the peer's address is not the client's (step
 * 12).
 */
export function isFromOtherNetwork(forwardedNetwork: string | null, network: string): boolean {
  return forwardedNetwork !== null && forwardedNetwork.toLowerCase() !== network.toLowerCase();
}

function refuse(status: 400 | 503, code: RefusalCode, message: string, trace: Trace): InboundRefusal {
  trace?.push({ rule: "inbound.refused", text: message, decides: true });
  return { kind: "refusal", code, message, status, because: reasonsOf(trace) };
}
