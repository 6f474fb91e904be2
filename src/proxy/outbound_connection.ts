/**
 * One connection of the pod to somewhere (`docs/spec/dataplane.md` 1.4).
 *
 * The record is opened with the route, that of double HBONE when the far end has answered or has failed.
 *
 * The client's socket is watched from the start, so a client that resets ends the dial. Nothing is read from it before
 * there is an upstream.
 */
import type { Workload } from "../mesh/model/model.ts";
import { chooseAnswer, lookupEmpty, lookupFailed } from "../mesh/resolve/outcome.ts";
import { identityOf } from "../mesh/model/workload_identity.ts";
import {
  type NeedsDns,
  type OutboundRoute,
  refuseRecursiveOutbound,
  resolveOutbound,
} from "../mesh/resolve/outbound.ts";
import type { ClientConnection } from "../hbone/client_connection.ts";
import { dialCause, streamEndHow, type TunnelFailure } from "../hbone/failure.ts";
import type { TunnelEvents } from "../hbone/opening_tunnel.ts";
import type { Pool } from "../hbone/pool.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { HeaderList, Stream } from "../h2/seam.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Duplex, DuplexSink, Ending } from "../net/duplex.ts";
import { PrefixedDuplex } from "../net/prefixed_duplex.ts";
import type { DialEvents } from "../net/network.ts";
import type { ConnectionFacts } from "../telemetry/connection_ending.ts";
import type { ConnectionRecord, ConnectionStart } from "../telemetry/connection_telemetry.ts";
import { bare } from "../telemetry/log_fields.ts";
import { logsDebug } from "./connection_log.ts";
import type { OutboundWay } from "./connections.ts";
import { bytesBeforeReset, CLIENT_RESET } from "./client_reset.ts";
import { socketFailure } from "./copy.ts";
import { destinationAsSaid, outboundStart } from "./outbound_parties.ts";
import { nestedRequest, tunnelRequest } from "./outbound_requests.ts";
import type { PodContext } from "./pod_context.ts";
import { NO_ROUTE, PodConnection } from "./pod_connection.ts";
import { Relay } from "./relay.ts";
import { Tunnel } from "./tunnel.ts";

/** A connection of an application of the pod, by TCP, HBONE or double HBONE, as the mesh has it. */
export class OutboundConnection extends PodConnection implements DuplexSink, DialEvents, TunnelEvents {
  readonly #pool: Pool;
  #client: Duplex;
  protected readonly source: SocketAddress;
  /** The address that the client connected to. */
  protected readonly destination: SocketAddress;
  #route: OutboundRoute | null = null;
  /** What the record is made of; null before the route is known. */
  #recordStart: ConnectionStart | null = null;
  /** The connection that carries the tunnel. */
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
    if (logsDebug(this.context)) this.log.debug("connection started", { component: this.context.component });
    this.#client.start(this);
    const refusal = refuseRecursiveOutbound(this.destination, this.context.settings.ownPorts, this.#client);
    if (refusal === null) super.start();
    else this.refuse(refusal.message, NO_ROUTE);
  }

  override get tls(): ConnectionFacts["tls"] {
    return this.#carrier?.tls ?? null;
  }

  override get carrier(): number | null {
    return this.#carrier?.number ?? null;
  }

  override get way(): OutboundWay | null {
    if (this.#route === null) return null;
    const { actual, protocol } = this.#route;
    return { source: this.source, original: this.destination, actual, protocol };
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
    const relay = new Relay(this.context.loop, this.#client, upstream, this.record!, this);
    this.copyThrough(relay);
    relay.start();
  }

  onDialFailure(ending: Ending): void {
    this.finish({ flag: "CONNECT", message: `io error: ${ending.message}` }, dialCause(ending, "server"));
  }

  onTunnel(stream: Stream, answer: HeaderList, connection: ClientConnection): void {
    this.#carrier = connection;
    this.noteAnswer(connection.connectedAt, connection.securedAt);
    const isNested = this.#route!.protocol === "DOUBLEHBONE";
    // The inner connection was made for this stream alone and ends with it.
    this.enter("open", isNested ? this.pending : null);
    const record = isNested ? this.#openNested(answer, connection.peerId) : this.record!;
    const tunnel = new Tunnel(this.context.loop, this.#client, stream, record, true, this);
    this.copyThrough(tunnel);
    tunnel.start();
  }

  onTunnelFailure({ flag, message, ending }: TunnelFailure): void {
    this.finish({ flag, message }, ending, ending.phase);
  }

  protected get direction(): "outbound" {
    return "outbound";
  }

  protected resolve(local: Workload): void {
    const { state, settings, random } = this.context;
    const outcome = resolveOutbound(state, {
      source: local,
      sourceIp: this.source.ip,
      target: this.destination,
      network: settings.network,
      hbonePort: settings.hbonePort,
      asked: this.asked,
    }, random);
    switch (outcome.kind) {
      case "route":
        return this.#take(outcome, local);
      case "refusal":
        return this.refuse(outcome.message, NO_ROUTE);
      case "needs-dns":
        return this.#resolveName(outcome, local);
      case "needs-lookup":
        return this.lookUp(outcome.name, local);
      default:
        return outcome satisfies never;
    }
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
        return this.refuse(lookupFailed(workload), NO_ROUTE);
      }
      const ip = chooseAnswer(result.addresses, needs.family, random);
      if (ip === null) this.refuse(lookupEmpty(workload), NO_ROUTE);
      else this.#take(needs.complete(ip), local);
    });
    this.enter("resolving", resolving);
  }

  #take(route: OutboundRoute, local: Workload): void {
    this.#route = route;
    const identity = identityOf(local);
    this.#recordStart = outboundStart(route, local, identity, this.source);
    if (route.protocol !== "DOUBLEHBONE") this.openRecord(this.#recordStart, this.startedAt);
    if (route.protocol === "TCP") this.#dial(route);
    else if (identity !== null) this.#request(route, local, identity);
    else {
      const message = `identity error: ${local.uid} has no valid identity`;
      this.finish({ flag: "IDENTITY_ERROR", message }, { by: "us", how: "identity" });
    }
  }

  #dial(route: OutboundRoute): void {
    this.enter("connecting", this.context.loop.network.dial(route.actual, this.context.settings.dial, this));
  }

  /** Events may be called before this returns. */
  #request(route: OutboundRoute, local: Workload, identity: SpiffeId): void {
    const { settings } = this.context;
    const call = { route, local, identity, source: this.source, trace: this.traceparent };
    const opening = route.protocol === "HBONE"
      ? this.#pool.request(tunnelRequest(settings, call), this)
      : this.#pool.requestNested(nestedRequest(settings, call), this);
    this.enter("connecting", opening);
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
