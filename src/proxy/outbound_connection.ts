/**
 * One connection of the pod to somewhere (`docs/spec/dataplane.md` 1.4).
 *
 * An endpoint that cannot be reached is replaced by another one of its service (`outbound_attempts.ts`):
 *
 *     resolving ──▶ connecting ──▶ open
 *         ▲             │  └── failed, no other endpoint, or none may be tried ──▶ ended
 *         └── failed ───┘
 *
 * The record is opened when it is known which endpoint it names: with the route where no other endpoint can follow, else
 * when the endpoint was reached or the last attempt has failed. That of double HBONE is always opened then.
 *
 * The client's socket is watched from the start, so a client that resets ends the dial. Nothing is read from it before
 * there is an upstream.
 */
import type { Reason } from "../mesh/model/reasons.ts";
import type { Workload } from "../mesh/model/model.ts";
import { chooseAnswer, lookupEmpty, lookupFailed, type RefusalCode } from "../mesh/resolve/outcome.ts";
import { identityOf } from "../mesh/model/workload_identity.ts";
import {
  type NeedsDns,
  type OutboundOutcome,
  type OutboundRoute,
  refuseRecursiveOutbound,
  resolveOutbound,
} from "../mesh/resolve/outbound.ts";
import type { ClientConnection } from "../hbone/client_connection.ts";
import { plainDialFailure, streamEndHow, type TunnelFailure } from "../hbone/failure.ts";
import type { TunnelEvents } from "../hbone/opening_tunnel.ts";
import type { Pool } from "../hbone/pool.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { HeaderList, Stream } from "../h2/seam.ts";
import { formatAddress, type SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { Duplex, DuplexSink, Ending } from "../net/duplex.ts";
import { PrefixedDuplex } from "../net/prefixed_duplex.ts";
import type { DialEvents, TurnTask } from "../net/network.ts";
import type { ConnectionFacts } from "../telemetry/connection_ending.ts";
import type { ConnectionRecord, ConnectionStart } from "../telemetry/connection_telemetry.ts";
import { bare } from "../telemetry/log_fields.ts";
import type { OutboundWay } from "./connections.ts";
import { bytesBeforeReset, CLIENT_RESET } from "./client_reset.ts";
import { socketFailure } from "./copy.ts";
import {
  attemptShare,
  hasOthers,
  mayHelp,
  noteBegin,
  noteFailure,
  noteSuccess,
  OutboundAttempts,
} from "./outbound_attempts.ts";
import { destinationAsSaid, outboundStart } from "./outbound_parties.ts";
import { nestedRequest, tunnelRequest } from "./outbound_requests.ts";
import { refusalCause } from "./own_decisions.ts";
import type { PodContext } from "./pod_context.ts";
import { PodConnection } from "./pod_connection.ts";
import { Relay } from "./relay.ts";
import { logPlaced, logRoute } from "./route_lines.ts";
import { Tunnel } from "./tunnel.ts";

/** Where no time limit is set for dials. */
const DEFAULT_BUDGET: Millis = 10_000;

/** A connection of an application of the pod, by TCP, HBONE or double HBONE, as the mesh has it. */
export class OutboundConnection extends PodConnection implements DuplexSink, DialEvents, TunnelEvents, TurnTask {
  readonly #pool: Pool;
  /** Number of the present or last attempt to reach an endpoint. */
  #attempt = 0;
  /** The attempts that have failed; null: none has. */
  #attempts: OutboundAttempts | null = null;
  #client: Duplex;
  protected readonly source: SocketAddress;
  /** The address that the client connected to. */
  protected readonly destination: SocketAddress;
  #route: OutboundRoute | null = null;
  #local: Workload | null = null;
  /** What the record is made of; null before the route is known. */
  #recordStart: ConnectionStart | null = null;
  /** The connection that carries the tunnel, or on which the last attempt has failed. */
  #carrier: ClientConnection | null = null;

  /** `target`: the address that the client connected to. `traceparent`: where the connection has one already. */
  constructor(
    context: PodContext,
    pool: Pool,
    client: Duplex,
    target: SocketAddress,
    traceparent: string | null = null,
  ) {
    super(context, traceparent);
    this.#pool = pool;
    this.#client = client;
    this.source = client.remote;
    this.destination = target;
  }

  override start(): void {
    if (this.logsDebug) this.log.debug("connection started", { component: this.context.component });
    this.#client.start(this);
    const refusal = refuseRecursiveOutbound(this.destination, this.context.settings.ownPorts, this.#client);
    if (refusal === null) super.start();
    else this.refuse(refusal.message, refusalCause(refusal.code));
  }

  override get tls(): ConnectionFacts["tls"] {
    return this.#carrier?.tls ?? null;
  }

  override get carrier(): number | null {
    return this.#carrier?.number ?? null;
  }

  override get attempt(): number {
    return this.#attempt;
  }

  override get way(): OutboundWay | null {
    if (this.#route === null) return null;
    const { actual, protocol, leadsTo } = this.#route;
    return { source: this.source, original: this.destination, actual, protocol, leadsTo };
  }

  /**
   * Nothing is read before there is an upstream. Only the bytes of a client that has reset are read at once: without any,
   * nothing has to be dialled for (O27); else they are delivered, and then the reset.
   */
  onReadable(): void {
    if (!this.#client.broken) return;
    const sent = bytesBeforeReset(this.#client);
    if (sent === null) this.onFailure(CLIENT_RESET);
    else this.#client = new PrefixedDuplex(sent, this.#client);
  }

  onWritable(): void {}

  /** The client's socket failed before there was an upstream. */
  onFailure(ending: Ending): void {
    const cause = { by: "client", how: streamEndHow(ending) } as const;
    if (this.#recordStart === null) this.refuse(`io error: ${ending.message}`, cause);
    else this.onCopied(socketFailure(ending, true), cause);
  }

  onConnect(upstream: Duplex): void {
    this.enter("open", null);
    this.#noteSuccess();
    const record = this.record ?? this.openRecord(this.#recordStart!, this.startedAt);
    const relay = new Relay(this.context.loop, this.#client, upstream, record, this);
    this.copyThrough(relay);
    relay.start();
  }

  onDialFailure(ending: Ending): void {
    this.#attemptFailed(plainDialFailure(ending));
  }

  onTunnel(stream: Stream, answer: HeaderList, connection: ClientConnection): void {
    this.#carrier = connection;
    this.noteAnswer(connection.connectedAt, connection.securedAt);
    if (this.logsDebug) this.log.debug("tunnel established", { connection: connection.number });
    const isNested = this.#route!.protocol === "DOUBLEHBONE";
    // The inner connection was made for this stream alone and ends with it.
    this.enter("open", isNested ? this.pending : null);
    this.#noteSuccess();
    const record = isNested
      ? this.#openNested(answer, connection.peerId)
      : this.record ?? this.openRecord(this.#recordStart!, this.startedAt);
    const tunnel = new Tunnel(this.context.loop, this.#client, stream, record, true, this);
    this.copyThrough(tunnel);
    tunnel.start();
  }

  onTunnelFailure(failure: TunnelFailure, connection: ClientConnection | null): void {
    this.#carrier = connection;
    this.#attemptFailed(failure);
  }

  /** Tries another endpoint. In a turn of its own, as the failure may have been reported from inside of the request. */
  runTurn(): void {
    if (!this.hasEnded) this.resolve(this.#local!);
  }

  /** Before a byte of the application was sent. */
  #attemptFailed(failure: TunnelFailure): void {
    const route = this.#route!, { state: { health }, loop: { network } } = this.context;
    // The only endpoint of a service is never avoided.
    if (health !== null && (hasOthers(route) || this.#attempts !== null)) noteFailure(health, route, failure);
    if (this.hasEnded) return;
    if (!mayHelp(failure.origin) || !this.#isFollowed(route)) return this.#fail(failure);
    this.#attempts ??= new OutboundAttempts(this.startedAt, this.#budget);
    if (!this.#attempts.add(route, failure, network.now())) return this.#fail(failure);
    this.enter("resolving", null);
    network.nextTurn(this);
  }

  #fail(failure: TunnelFailure): void {
    this.finish(failure, failure.ending, failure.ending.phase);
  }

  /** Whether another endpoint may be tried where this one fails. */
  #isFollowed(route: OutboundRoute): boolean {
    return hasOthers(route) && this.#attempts?.isLast !== true;
  }

  #noteSuccess(): void {
    const { health } = this.context.state;
    if (health !== null) noteSuccess(health, this.#route!);
  }

  protected get direction(): "outbound" {
    return "outbound";
  }

  protected resolve(local: Workload): void {
    if (this.#attempts !== null) return this.#resolveNext(this.#attempts, local);
    const outcome = this.#findRoute(local);
    switch (outcome.kind) {
      case "route":
        return this.#take(outcome, local);
      case "refusal":
        return this.#giveUp(outcome.message, outcome.code);
      case "needs-dns":
        return this.#resolveName(outcome, local);
      case "needs-lookup":
        return this.lookUp(outcome.name, local);
      default:
        return outcome satisfies never;
    }
  }

  #resolveNext(attempts: OutboundAttempts, local: Workload): void {
    const next = attempts.next(() => this.#findRoute(local));
    const { message } = attempts.last!;
    if (next === null) return this.#giveUp(message, "NO_HEALTHY_UPSTREAM");
    this.context.attemptsFailed.value++;
    this.context.telemetry.attemptFailed(this.#recordStart!, attempts.failed, message, this);
    if (next.kind === "route") this.#take(next, local);
    else this.#resolveName(next, local);
  }

  #findRoute(local: Workload): OutboundOutcome {
    const { state, settings, random } = this.context;
    const reasons: Reason[] | null = this.logsDebug ? [] : null;
    const outcome = resolveOutbound(
      state,
      {
        source: local,
        sourceIp: this.source.ip,
        target: this.destination,
        network: settings.network,
        hbonePort: settings.hbonePort,
        asked: this.asked,
        tried: this.#attempts?.tried ?? null,
      },
      random,
      reasons,
    );
    if (reasons !== null) this.logReasons(reasons);
    return outcome;
  }

  /** There is no endpoint to try; after a failed attempt its failure is that of the connection. */
  #giveUp(message: string, code: RefusalCode): void {
    const last = this.#attempts?.last ?? null;
    if (last === null) this.refuse(message, refusalCause(code));
    else this.#fail(last);
  }

  /** The workload has no address but a name (`docs/spec/inpod-dns.md` B6). */
  #resolveName(needs: NeedsDns, local: Workload): void {
    const { names, random, lines } = this.context;
    const { hostname, workload } = needs;
    names.count(local, hostname);
    const resolving = names.hosts.resolve(hostname, (result) => {
      this.enter("resolving", null);
      if (result.kind !== "addresses") {
        const fields = { err: bare(result.reason), hostname: bare(hostname) };
        lines.warn("lookup failed", this.log.as("ztunnel::state"), "dns lookup failed", fields);
        return this.#giveUp(lookupFailed(workload), "NAME_NOT_RESOLVED");
      }
      const ip = chooseAnswer(result.addresses, needs.family, random);
      if (ip === null) this.#giveUp(lookupEmpty(workload), "NAME_NOT_RESOLVED");
      else this.#take(needs.complete(ip), local);
    });
    this.enter("resolving", resolving);
  }

  #take(route: OutboundRoute, local: Workload): void {
    this.#route = route;
    this.#local = local;
    this.#attempt++;
    if (this.logsDebug) logRoute(this.log, route);
    const identity = identityOf(local);
    this.#recordStart = outboundStart(route, local, identity, this.source);
    const isFollowed = this.#isFollowed(route);
    if (route.protocol !== "DOUBLEHBONE" && !isFollowed) this.openRecord(this.#recordStart, this.startedAt);
    const { health } = this.context.state;
    if (health !== null) noteBegin(health, route);
    if (this.#attempts !== null) this.#logAttempt(route, this.#attempts.failed + 1);
    if (route.protocol === "TCP") this.#dial(route, isFollowed);
    else if (identity !== null) this.#request(route, local, identity, isFollowed);
    else {
      const message = `identity error: ${local.uid} has no valid identity`;
      this.finish({ flag: "IDENTITY_ERROR", message }, { by: "us", how: "identity" });
    }
  }

  /** ms for all attempts to connect together. */
  get #budget(): Millis {
    return this.context.settings.dial.timeout ?? DEFAULT_BUDGET;
  }

  /** ms for this attempt to connect; null: the usual limits. */
  #limit(isFollowed: boolean): Millis | null {
    if (this.#attempts === null) return isFollowed ? attemptShare(this.#budget) : null;
    return this.#attempts.limit(this.context.loop.network.now(), !isFollowed);
  }

  #dial(route: OutboundRoute, isFollowed: boolean): void {
    const { settings: { dial }, loop: { network } } = this.context;
    const timeout = this.#limit(isFollowed);
    this.enter("connecting", network.dial(route.actual, timeout === null ? dial : { ...dial, timeout }, this));
  }

  /** Events may be called before this returns. */
  #request(route: OutboundRoute, local: Workload, identity: SpiffeId, isFollowed: boolean): void {
    const { settings } = this.context;
    const { source, traceparent: trace } = this, connectTimeout = this.#limit(isFollowed);
    const call = { route, local, identity, source, trace, connectTimeout, hasAlternatives: isFollowed };
    const opening = route.protocol === "HBONE"
      ? this.#pool.request(tunnelRequest(settings, call), this)
      : this.#pool.requestNested(nestedRequest(settings, call), this);
    this.enter("connecting", opening);
    if (this.logsDebug && !this.hasEnded) logPlaced(this.log, route, opening.phase);
  }

  #logAttempt({ actual, endpoint }: OutboundRoute, attempt: number): void {
    if (!this.logsDebug) return;
    this.log.debug("trying another endpoint", {
      "dst.addr": bare(formatAddress(actual)),
      "dst.workload": endpoint?.workload.name,
      attempt: bare(attempt),
    });
  }

  #openNested(answer: HeaderList, peerId: SpiffeId | null): ConnectionRecord {
    const derivedDestination = destinationAsSaid(answer, peerId);
    return this.openRecord({ ...this.#recordStart!, derivedDestination }, this.startedAt);
  }

  protected override recordAtEnd(): ConnectionRecord | null {
    if (this.#recordStart === null) return null;
    return this.record ?? this.openRecord(this.#recordStart, this.startedAt);
  }

  protected reset(): void {
    this.copy?.cut();
    // The client must not see a clean end where its connection was cut, in any phase (`docs/spec/dataplane.md` 5.4).
    this.#client.close(true);
  }

  /** A client whose connection was never open gets RST: a FIN would look like an empty answer. */
  protected release(): void {
    this.#client.close(this.copy === null);
  }
}
