/** One CONNECT of a peer, from its headers to the end of its stream (`docs/spec/dataplane.md` 1.7). */
import { ErrorCode, type H2Failure, type HeaderList, type Stream, type StreamHandler } from "../h2/seam.ts";
import { http2Cause, requestFailure, streamEndHow } from "../hbone/failure.ts";
import { PendingBytes } from "../hbone/pending_bytes.ts";
import { refuseWithText } from "../hbone/refusal.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { baggageOf, NO_BAGGAGE, parseBaggage } from "../mesh/headers/baggage.ts";
import { isTraceparent } from "../mesh/headers/traceparent.ts";
import { isGatewayOf } from "../mesh/resolve/gateway_peer.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { Reason } from "../mesh/model/reasons.ts";
import { type InboundRoute, isFromOtherNetwork, resolveInbound } from "../mesh/resolve/inbound.ts";
import type { SocketAddress } from "../net/address.ts";
import { type Duplex, FAILED } from "../net/duplex.ts";
import type { TurnTask } from "../net/network.ts";
import type { ConnectionFacts, EndingCause } from "../telemetry/connection_ending.ts";
import type { ConnectionFailure } from "../telemetry/connection_telemetry.ts";
import { derivedPeer } from "./derived_peer.ts";
import { InboundCall } from "./inbound_call.ts";
import { dropBaggage, type InboundRequest, readInboundRequest } from "./inbound_request.ts";
import { refusalCause } from "./own_decisions.ts";
import type { PodContext } from "./pod_context.ts";
import { proxyHeader } from "./proxy_header.ts";
import { Tunnel } from "./tunnel.ts";

/** The connection that carries a stream. */
interface InboundPeer {
  readonly address: SocketAddress;
  /** The connection's address at this end: the pod's, port 15008. */
  readonly local: SocketAddress;
  readonly identity: SpiffeId;
  readonly tls: ConnectionFacts["tls"];
  /** Number of the connection, unique in its worker. */
  readonly number: number;
  /** Bytes of the peer that are not processed yet may reset its streams, as it has done lately. */
  readonly mayResetSoon: boolean;
}

/** A call of an application of the pod by a peer that has proven its identity. */
export class InboundStream extends InboundCall implements StreamHandler, TurnTask {
  readonly #peer: InboundPeer;
  readonly #stream: Stream;
  readonly #request: InboundRequest;
  /** Bytes that arrived before the application was connected; the stream's window bounds them. */
  #early: PendingBytes | null = null;
  #earlyEnd = false;
  /** Null before the call is allowed. */
  #route: InboundRoute | null = null;

  constructor(context: PodContext, peer: InboundPeer, stream: Stream, headers: HeaderList) {
    super(context);
    this.#peer = peer;
    this.#stream = stream;
    this.#request = readInboundRequest(headers);
    stream.handler = this;
  }

  override get isSocket(): boolean {
    return false;
  }

  override get forwardedHost(): string | null {
    return this.#request.forwardedHost;
  }

  protected override get receivedTraceparent(): string | null {
    const { traceparent } = this.#request;
    return traceparent !== null && isTraceparent(traceparent) ? traceparent : null;
  }

  override get tls(): ConnectionFacts["tls"] {
    return this.#peer.tls;
  }

  override get carrier(): number {
    return this.#peer.number;
  }

  onResponse(): void {}
  onSendReady(): void {}
  onFlush(): void {}

  onData(bytes: Uint8Array, start: number, end: number): void {
    (this.#early ??= new PendingBytes(this.context.loop.blocks)).add(bytes, start, end);
  }

  onEnd(): void {
    this.#earlyEnd = true;
  }

  /** The peer reset the stream before the application was connected. */
  onReset(failure: H2Failure): void {
    const why = requestFailure(failure), cause = http2Cause(failure, "client");
    if (this.record === null) this.refuse(why.message, cause);
    else this.finish(why, cause);
  }

  protected get source(): SocketAddress {
    return this.#peer.address;
  }

  protected get destination(): SocketAddress {
    return this.#peer.local;
  }

  protected resolve(local: Workload): void {
    const { state, settings } = this.context;
    const reasons: Reason[] | null = this.logsDebug ? [] : null;
    if (reasons !== null) this.#logRequest();
    const outcome = resolveInbound(state, {
      method: this.#request.method,
      authority: this.#request.authority ?? "",
      local,
      localIp: this.#peer.local.ip,
      network: settings.network,
      ownPorts: settings.ownPorts,
      localhostAppTunnel: settings.localhostAppTunnel,
      forwardedHost: this.forwardedHost,
      asked: this.asked,
    }, reasons);
    if (reasons !== null) this.logReasons(reasons);
    switch (outcome.kind) {
      case "route":
        return this.#admit(outcome, local);
      case "refusal":
        return this.refuse(outcome.message, refusalCause(outcome.code), String(outcome.status));
      case "needs-lookup":
        return this.lookUp(outcome.name, local);
      default:
        return outcome satisfies never;
    }
  }

  #logRequest(): void {
    const { method, authority } = this.#request;
    const { number, identity } = this.#peer;
    this.log.debug("received request", {
      method,
      authority,
      service: this.forwardedHost,
      identity,
      connection: number,
    });
  }

  #admit(route: InboundRoute, local: Workload): void {
    const { address: source, identity } = this.#peer;
    const verdict = this.authorize({ destination: local, source, identity, target: route.destination });
    this.#openRecord(route, local, verdict.allow);
    if (!verdict.allow) return this.deny(verdict);
    this.#route = route;
    this.context.loop.network.atTurnEnd(this);
  }

  /**
   * Dials at the end of the turn, so that a stream whose HEADERS and RST_STREAM arrive in one read (rapid reset) causes
   * no dial. A read with many requests takes several turns: where the peer has reset requests lately, the dial waits
   * until all of the read is processed.
   */
  runTurn(): void {
    if (this.hasEnded) return;
    if (this.#peer.mayResetSoon) return this.context.loop.network.nextTurn(this);
    this.dial(this.#route!, this.#peer.address);
  }

  /** A caller's baggage is used only where policies allow the call and the peer is a gateway that the mesh names. */
  #openRecord(route: InboundRoute, local: Workload, allowed: boolean): void {
    const { state, settings, loop } = this.context;
    const { address: { ip }, identity } = this.#peer;
    const elsewhere = isFromOtherNetwork(this.#request.network, settings.network) &&
      isGatewayOf(state, local, { ip, identity });
    const source = elsewhere ? null : state.workloadByAddress(settings.network, ip);
    const baggage = settings.responseBaggage && allowed && elsewhere ? parseBaggage(this.#request.baggage) : NO_BAGGAGE;
    dropBaggage(this.#request);
    this.openRecord({
      reporter: "destination",
      source,
      derivedSource: derivedPeer(this.#peer.identity, baggage),
      destination: local,
      derivedDestination: null,
      service: route.service,
      mutualTls: true,
      sourceAddress: this.#peer.address,
      destinationAddress: this.#peer.local,
      hboneTarget: this.#request.authority,
    }, loop.network.now());
  }

  protected connected(application: Duplex): void {
    const answer: [string, string][] = [[":status", "200"]];
    if (this.context.settings.responseBaggage) answer.push(["baggage", baggageOf(this.call!.destination)]);
    this.#stream.respond(answer, false);
    const { proxyTarget } = this.#route!;
    this.#route = null;
    if (proxyTarget !== null && !this.#introduce(application, proxyTarget)) return;
    const tunnel = new Tunnel(this.context.loop, application, this.#stream, this.record!, false, this);
    this.copyThrough(tunnel);
    tunnel.start(this.#early, this.#earlyEnd);
    this.#early = null;
  }

  /** A socket that has just connected takes these few bytes whole, or is broken already. */
  #introduce(application: Duplex, target: SocketAddress): boolean {
    const header = proxyHeader(this.#peer.address, target, this.#peer.identity);
    if (application.write(header) !== FAILED) return true;
    const failure = application.failure!;
    application.close();
    this.#stream.reset(ErrorCode.CONNECT_ERROR);
    const cause: EndingCause = { by: "server", how: streamEndHow(failure) };
    this.finish({ flag: "CONNECT", message: `io error: ${failure.message}` }, cause);
    return false;
  }

  protected override refuse(message: string, cause: EndingCause, status = "503"): void {
    if (this.hasEnded) return;
    this.#answer(status);
    super.refuse(message, cause);
  }

  protected fail(status: string, failure: ConnectionFailure, cause: EndingCause): void {
    if (this.hasEnded) return;
    this.#answer(status);
    this.finish(failure, cause);
  }

  /**
   * The answer ends our half; the reset asks the peer to stop sending (RFC 9113 §8.1). On a stream that is closed
   * already it discards the bytes that arrived early.
   */
  #answer(status: string): void {
    const isTunnel = this.#request.method === "CONNECT";
    if (!isTunnel) return refuseWithText(this.context.loop.network, this.#stream, status);
    this.#stream.respond([[":status", status]], true);
    this.#stream.reset(ErrorCode.NO_ERROR);
  }

  /** For CONNECT_ERROR the peer's proxy resets its client, so that a cut answer does not look complete. */
  protected reset(): void {
    this.#stream.reset(ErrorCode.CONNECT_ERROR);
    this.copy?.cut();
  }

  protected override release(): void {
    super.release();
    this.#early?.clear();
  }
}
