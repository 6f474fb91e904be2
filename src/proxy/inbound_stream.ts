/**
 * One CONNECT of a peer (`docs/spec/dataplane.md` 1.7).
 *
 *     requested ──▶ local workload ──▶ route ──▶ authorized ──▶ dialing ──▶ 200, tunnel ──▶ done
 *         │               │              │            │             │
 *         └───────────────┴── 400, 503 ──┴─── 401 ────┴──── 503 ────┘        (reset by the peer: dial aborted)
 */
import { ErrorCode, type H2Failure, type HeaderList, type Stream, type StreamHandler } from "../h2/seam.ts";
import { requestFailure } from "../hbone/failure.ts";
import { PendingBytes } from "../hbone/pending_bytes.ts";
import { refuseInWords } from "../hbone/refusal.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { Call } from "../mesh/policy/authorize.ts";
import { baggageOf, NO_BAGGAGE, parseBaggage } from "../mesh/headers/baggage.ts";
import { isGatewayOf } from "../mesh/resolve/gateway_peer.ts";
import type { Workload } from "../mesh/model/model.ts";
import { type InboundRoute, isFromOtherNetwork, resolveInbound } from "../mesh/resolve/inbound.ts";
import type { SocketAddress } from "../net/address.ts";
import { type Duplex, FAILED } from "../net/duplex.ts";
import type { TurnTask } from "../net/network.ts";
import type { ConnectionFailure, ConnectionRecord } from "../telemetry/connection_telemetry.ts";
import type { InboundConnection } from "./connections.ts";
import { copyFailure, type CopyMeter, type CopyOutcome } from "./copy.ts";
import { derivedPeer } from "./derived_peer.ts";
import type { PendingDial } from "./pending_dials.ts";
import type { PodContext } from "./pod_context.ts";
import { type InboundRequest, readInboundRequest, withoutBaggage } from "./inbound_request.ts";
import { proxyHeader } from "./proxy_header.ts";
import { Tunnel } from "./tunnel.ts";

/** The connection a stream came on. */
export interface InboundPeer {
  readonly address: SocketAddress;
  /** Where it ended: the pod's address, port 15008. */
  readonly local: SocketAddress;
  readonly identity: SpiffeId;
}

export class InboundStream implements StreamHandler, InboundConnection, CopyMeter, PendingDial, TurnTask {
  readonly #context: PodContext;
  readonly #peer: InboundPeer;
  readonly #stream: Stream;
  #request: InboundRequest;
  registration = 0;
  #record: ConnectionRecord | null = null;
  #tunnel: Tunnel | null = null;
  #abort: () => void = () => {};
  /** What came before the application was there; its window bounds it. */
  #early: PendingBytes | null = null;
  #earlyEnd = false;
  /** The address to dial. */
  #admitted: { readonly route: InboundRoute; readonly local: Workload } | null = null;
  #dialing = false;
  #done = false;
  /** Names the control plane was asked for. */
  readonly #asked: Set<string> | null;
  call!: Call;

  constructor(context: PodContext, peer: InboundPeer, stream: Stream, headers: HeaderList) {
    this.#context = context;
    this.#peer = peer;
    this.#stream = stream;
    this.#request = readInboundRequest(headers);
    this.#asked = context.lookups === null ? null : new Set();
    stream.handler = this;
    context.connections.add(this);
  }

  start(): void {
    const { local } = this.#context;
    const known = local.current;
    if (known !== null) return this.#route(known);
    this.#abort = local.wait((workload) => {
      if (workload === null) this.#refuse("503", local.unknownMessage);
      else this.#route(workload);
    });
  }

  cut(message: string | null): void {
    if (this.#done) return;
    // For CONNECT_ERROR the peer's proxy resets its client, for CANCEL it ends cleanly (`docs/spec/dataplane.md` 5.4).
    this.#stream.reset(message === null ? ErrorCode.CONNECT_ERROR : ErrorCode.CANCEL);
    this.#tunnel?.cut();
    if (message === null) {
      this.#end();
      this.#record?.cancel(this.#context.loop.network.now());
      this.#context.connections.remove(this);
    } else this.#finish({ flag: "DENY", message });
  }

  onResponse(): void {}
  onSendReady(): void {}
  onFlush(): void {}

  onData(bytes: Uint8Array, start: number, end: number): void {
    (this.#early ??= new PendingBytes(this.#context.loop.blocks)).add(bytes, start, end);
  }

  onEnd(): void {
    this.#earlyEnd = true;
  }

  /** The peer gave up before the application had answered. */
  onReset(failure: H2Failure): void {
    const why = requestFailure(failure);
    if (this.#record === null) this.#refuse("503", why.message);
    else this.#finish(why);
  }

  /** Application → peer. */
  up(bytes: number): void {
    this.#record!.addSent(bytes);
  }

  down(bytes: number): void {
    this.#record!.addReceived(bytes);
  }

  get forwardedHost(): string | null {
    return this.#request.forwardedHost;
  }

  #route(local: Workload): void {
    const { state, settings } = this.#context;
    const outcome = resolveInbound(state, {
      method: this.#request.method,
      authority: this.#request.authority ?? "",
      local,
      localIp: this.#peer.local.ip,
      network: settings.network,
      ownPorts: settings.ownPorts,
      localhostAppTunnel: settings.localhostAppTunnel,
      forwardedHost: this.forwardedHost,
      asked: this.#asked,
    });
    switch (outcome.kind) {
      case "route":
        return this.#admit(outcome, local);
      case "refusal":
        return this.#refuse(String(outcome.status), outcome.message);
      case "needs-lookup":
        return this.#lookUp(outcome.name, local);
      default:
        return outcome satisfies never;
    }
  }

  #lookUp(name: string, local: Workload): void {
    this.#asked!.add(name);
    this.#abort = this.#context.lookups!.ask(name, (failure) => {
      this.#abort = () => {};
      if (failure === null) this.#route(local);
      else this.#refuse("503", failure);
    });
  }

  #admit(route: InboundRoute, local: Workload): void {
    this.call = {
      destination: local,
      source: this.#peer.address,
      identity: this.#peer.identity,
      target: route.destination,
    };
    // Registered before it is asked, so that no change of policy falls in between.
    this.#context.connections.addInbound(this);
    const verdict = this.#context.admission.judge(this.call, this.#context.log);
    this.#record = this.#openRecord(route, local, verdict.allow);
    if (!verdict.allow) return this.#deny("401", { flag: "DENY", message: verdict.message! });
    this.#admitted = { route, local };
    this.#context.loop.network.atTurnEnd(this);
  }

  /**
   * Dials at the end of the turn, so that a stream whose HEADERS and RST_STREAM arrive in one read (rapid reset) causes
   * no dial.
   */
  runTurn(): void {
    const admitted = this.#admitted;
    this.#admitted = null;
    if (!this.#done && admitted !== null) this.#dial(admitted.route, admitted.local);
  }

  /** A caller's baggage is used only when policies allow the call and it comes by a gateway that the mesh names. */
  #openRecord(route: InboundRoute, local: Workload, allowed: boolean): ConnectionRecord {
    const { state, settings, telemetry, loop } = this.#context;
    const { address: { ip }, identity } = this.#peer;
    const elsewhere = isFromOtherNetwork(this.#request.network, settings.network) &&
      isGatewayOf(state, local, { ip, identity });
    const source = elsewhere ? null : state.workloadByAddress(settings.network, ip);
    const baggage = settings.responseBaggage && allowed && elsewhere ? parseBaggage(this.#request.baggage) : NO_BAGGAGE;
    this.#request = withoutBaggage(this.#request);
    return telemetry.open({
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

  #dial(route: InboundRoute, local: Workload): void {
    const { settings, loop, connections } = this.#context;
    const source = route.overLoopback
      ? { ip: route.dial.ip, port: 0 }
      : settings.originalSource
      ? { ip: this.#peer.address.ip, port: 0 }
      : null;
    const dial = loop.network.dial(route.dial, source === null ? settings.dial : { ...settings.dial, source }, {
      onConnect: (application) => {
        this.#dialEnded();
        this.#connected(application, route, local);
      },
      onDialFailure: (ending) =>
        this.#deny("503", { flag: "CONNECT", message: `connection failed: ${ending.message}` }),
    });
    this.#abort = () => dial.abort();
    this.#dialing = true;
    // May end this stream or others.
    connections.pendingDials.add(this, settings.maxPendingDials);
  }

  giveWay(why: string): void {
    this.#deny("503", { flag: "CONNECT", message: `connection failed: ${why}` });
  }

  #connected(application: Duplex, route: InboundRoute, local: Workload): void {
    this.#abort = () => {};
    const answer: [string, string][] = [[":status", "200"]];
    if (this.#context.settings.responseBaggage) answer.push(["baggage", baggageOf(local)]);
    this.#stream.respond(answer, false);
    if (route.proxyTarget !== null && !this.#introduce(application, route.proxyTarget)) return;
    const tunnel = new Tunnel(this.#context.loop, application, this.#stream, this, false, (done) => this.#copied(done));
    this.#tunnel = tunnel;
    tunnel.start(this.#early, this.#earlyEnd);
    this.#early = null;
  }

  /** A socket just connected takes these few bytes whole, or is broken already. */
  #introduce(application: Duplex, target: SocketAddress): boolean {
    const header = proxyHeader(this.#peer.address, target, this.#peer.identity);
    if (application.write(header) !== FAILED) return true;
    const message = `io error: ${application.failure!.message}`;
    application.close();
    this.#stream.reset(ErrorCode.CONNECT_ERROR);
    this.#finish({ flag: "CONNECT", message });
    return false;
  }

  #copied(outcome: CopyOutcome): void {
    this.#finish(copyFailure(outcome));
  }

  /** Refused before there was a record: a warning, no counters. */
  #refuse(status: string, message: string): void {
    if (this.#done) return;
    this.#answer(status);
    this.#end();
    this.#context.telemetry.refuse("inbound", this.#peer.address, this.#peer.local, message);
    this.#context.connections.remove(this);
  }

  #deny(status: string, failure: ConnectionFailure): void {
    if (this.#done) return;
    this.#answer(status);
    this.#finish(failure);
  }

  /**
   * The answer ends our half; the reset tells the peer to stop with its own (RFC 9113 §8.1). Where the stream is closed
   * already it gives up what came early.
   */
  #answer(status: string): void {
    const isTunnel = this.#request.method === "CONNECT";
    if (!isTunnel) return refuseInWords(this.#context.loop.network, this.#stream, status);
    this.#stream.respond([[":status", status]], true);
    this.#stream.reset(ErrorCode.NO_ERROR);
  }

  #finish(failure: ConnectionFailure | null): void {
    if (this.#done) return;
    this.#end();
    this.#record?.finish(this.#context.loop.network.now(), failure);
    this.#context.connections.remove(this);
  }

  /** Who calls it tells the log, then the connections: the last one to go may take the log with it. */
  #end(): void {
    this.#done = true;
    this.#abort();
    this.#dialEnded();
    this.#early?.clear();
  }

  #dialEnded(): void {
    if (!this.#dialing) return;
    this.#dialing = false;
    this.#context.connections.pendingDials.delete(this);
  }
}
