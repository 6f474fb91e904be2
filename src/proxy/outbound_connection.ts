/**
 * One connection of the pod to somewhere (`docs/spec/dataplane.md` 1.4).
 *
 *     accepted ──▶ local workload ──▶ route ──TCP───────────▶ dialing ──▶ relay ───▶ done
 *        │               │    │         ▲ └──HBONE, double──▶ opening ──▶ tunnel ────▲
 *        │               │    └▶ lookup ┤                        │                   │
 *        │               │    └─▶ name ─┘                        │                   │
 *        └─── refused ───┴─────────┴───────────────────── failed ┴───────────────────┘
 *
 * The record is opened with the route, that of double HBONE once the other side has said who it is, or has failed.
 *
 * The client's socket is watched from the start, so a client that resets ends the dial. Nothing is read from it before
 * there is a place for it to go.
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
import type { TunnelFailure } from "../hbone/failure.ts";
import type { Pool } from "../hbone/pool.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { ErrorCode, type Stream } from "../h2/seam.ts";
import type { SocketAddress } from "../net/address.ts";
import type { Duplex, DuplexSink, Ending } from "../net/duplex.ts";
import type { Millis } from "../net/network.ts";
import type { ConnectionFailure, ConnectionRecord, ConnectionStart } from "../telemetry/connection_telemetry.ts";
import type { DerivedPeer } from "../telemetry/traffic_peer.ts";
import { bare } from "../telemetry/log_fields.ts";
import type { LiveConnection, OutboundWay } from "./connections.ts";
import { CLIENT_RESET, copyFailure, type CopyMeter, type CopyOutcome, socketFailure } from "./copy.ts";
import { destinationAsSaid, outboundStart } from "./outbound_parties.ts";
import { nestedRequest, newTrace, tunnelRequest } from "./outbound_requests.ts";
import type { PodContext } from "./pod_context.ts";
import { Relay } from "./relay.ts";
import { Tunnel } from "./tunnel.ts";

export class OutboundConnection implements LiveConnection, DuplexSink, CopyMeter {
  readonly #context: PodContext;
  readonly #pool: Pool;
  readonly #client: Duplex;
  readonly #source: SocketAddress;
  readonly #target: SocketAddress;
  readonly #startedAt: Millis;
  registration = 0;
  #taken: OutboundRoute | null = null;
  /** What the record is made of; null before the route is known. */
  #begun: ConnectionStart | null = null;
  #record: ConnectionRecord | null = null;
  #copy: { cut(): void } | null = null;
  /** Gives up what is under way, or what was made for this connection alone. */
  #abort: () => void = () => {};
  #done = false;
  /** Names the control plane was asked for. */
  readonly #asked: Set<string> | null;

  constructor(context: PodContext, pool: Pool, client: Duplex, target: SocketAddress) {
    this.#context = context;
    this.#pool = pool;
    this.#client = client;
    this.#source = client.remote;
    this.#target = target;
    this.#asked = context.lookups === null ? null : new Set();
    this.#startedAt = context.loop.network.now();
    context.connections.addSocket(this);
  }

  start(): void {
    this.#client.start(this);
    const refusal = refuseRecursiveOutbound(this.#target, this.#context.settings.ownPorts, this.#client);
    if (refusal !== null) return this.#refuse(refusal.message);
    const { local } = this.#context;
    const known = local.current;
    if (known !== null) return this.#route(known);
    this.#abort = local.wait((workload) => {
      if (workload === null) this.#refuse(local.unknownMessage);
      else this.#route(workload);
    });
  }

  get way(): OutboundWay | null {
    if (this.#taken === null) return null;
    const { actual, protocol } = this.#taken;
    return { source: this.#source, original: this.#target, actual, protocol };
  }

  cut(): void {
    if (this.#done) return;
    this.#copy?.cut();
    // A cut connection must not look like a clean end, in any state (`docs/spec/dataplane.md` 5.4).
    this.#client.close(true);
    this.#end();
    this.#opened()?.cancel(this.#context.loop.network.now());
    this.#context.connections.remove(this);
  }

  /** Nothing is read yet, but a client that is gone need not be dialled for (`docs/spec/observed.md` O27). */
  onReadable(): void {
    if (this.#client.broken) this.onFailure(CLIENT_RESET);
  }

  onWritable(): void {}

  /** The client went away before there was a way. */
  onFailure(ending: Ending): void {
    if (this.#begun === null) this.#refuse(`io error: ${ending.message}`);
    else this.#copied(socketFailure(ending, true));
  }

  up(bytes: number): void {
    this.#record!.addReceived(bytes);
  }

  down(bytes: number): void {
    this.#record!.addSent(bytes);
  }

  #route(local: Workload): void {
    const { state, settings, random } = this.#context;
    const outcome = resolveOutbound(state, {
      source: local,
      sourceIp: this.#source.ip,
      target: this.#target,
      network: settings.network,
      hboneInboundPort: settings.hbonePort,
      asked: this.#asked,
    }, random);
    switch (outcome.kind) {
      case "route":
        return this.#take(outcome, local);
      case "refusal":
        return this.#refuse(outcome.message);
      case "needs-dns":
        return this.#resolve(outcome, local);
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
      else this.#refuse(failure);
    });
  }

  /** The workload has no address but a name (`docs/spec/inpod-dns.md` B6). */
  #resolve(needs: NeedsDns, local: Workload): void {
    const { names, random, log, lines } = this.#context;
    const { hostname, workload } = needs;
    names.count(local, hostname);
    const resolving = names.hosts.resolve(hostname, (result) => {
      this.#abort = () => {};
      if (result.kind !== "addresses") {
        const fields = { err: bare(result.reason), hostname: bare(hostname) };
        lines.warn("lookup failed", log.as("ztunnel::state"), "dns lookup failed", fields);
        return this.#refuse(lookupFailed(workload));
      }
      const ip = chooseAnswer(result.addresses, needs.family, random);
      if (ip === null) this.#refuse(lookupEmpty(workload));
      else this.#take(needs.complete(ip), local);
    });
    this.#abort = () => resolving.abort();
  }

  #take(route: OutboundRoute, local: Workload): void {
    this.#taken = route;
    const identity = identityOf(local);
    this.#begun = outboundStart(route, local, identity, this.#source);
    if (route.protocol !== "DOUBLEHBONE") this.#opened();
    if (route.protocol === "TCP") this.#dial(route);
    else if (identity === null) this.#fail("IDENTITY_ERROR", `identity error: ${local.uid} has no valid identity`);
    else if (route.protocol === "HBONE") this.#open(route, local, identity);
    else this.#openNested(route, local, identity);
  }

  /** The record, opened if it is not yet; null before the route is known. `said`: by the destination about itself. */
  #opened(said: DerivedPeer | null = null): ConnectionRecord | null {
    if (this.#begun === null) return null;
    const start = said === null ? this.#begun : { ...this.#begun, derivedDestination: said };
    return this.#record ??= this.#context.telemetry.open(start, this.#startedAt);
  }

  #dial(route: OutboundRoute): void {
    const { network } = this.#context.loop;
    const dial = network.dial(route.actual, this.#context.settings.dial, {
      onConnect: (upstream) => {
        this.#abort = () => {};
        const relay = new Relay(this.#context.loop, this.#client, upstream, this, (outcome) => this.#copied(outcome));
        this.#copy = relay;
        relay.start();
      },
      onDialFailure: (ending) => this.#fail("CONNECT", `io error: ${ending.message}`),
    });
    this.#abort = () => dial.abort();
  }

  #open(route: OutboundRoute, local: Workload, identity: SpiffeId): void {
    const call = { route, local, identity, source: this.#source, trace: newTrace(this.#context) };
    const opening = this.#pool.request(tunnelRequest(this.#context.settings, call), {
      onTunnel: (stream) => this.#tunnel(stream),
      onTunnelFailure: ({ flag, message }) => this.#fail(flag, message),
    });
    this.#abort = () => opening.abort();
  }

  #openNested(route: OutboundRoute, local: Workload, identity: SpiffeId): void {
    const call = { route, local, identity, source: this.#source, trace: newTrace(this.#context) };
    const nested = this.#pool.requestNested(nestedRequest(this.#context.settings, call), {
      onTunnel: (stream, answer, { peerId }) => {
        this.#opened(destinationAsSaid(answer, peerId));
        this.#copyThrough(stream);
      },
      onTunnelFailure: ({ flag, message }) => this.#fail(flag, message),
    });
    this.#abort = () => nested.close();
  }

  #tunnel(stream: Stream): void {
    this.#abort = () => {};
    this.#copyThrough(stream);
  }

  #copyThrough(stream: Stream): void {
    const tunnel = new Tunnel(this.#context.loop, this.#client, stream, this, true, (outcome) => this.#copied(outcome));
    this.#copy = {
      cut: () => {
        // The peer's proxy resets the application for this code; CANCEL would be a clean end (RFC 9113 §8.5).
        stream.reset(ErrorCode.CONNECT_ERROR);
        tunnel.cut();
      },
    };
    tunnel.start();
  }

  #copied(outcome: CopyOutcome): void {
    this.#finish(copyFailure(outcome));
  }

  #fail(flag: TunnelFailure["flag"], message: string): void {
    this.#finish({ flag, message });
  }

  #finish(failure: ConnectionFailure | null): void {
    if (this.#done) return;
    this.#end();
    this.#opened()?.finish(this.#context.loop.network.now(), failure);
    this.#context.connections.remove(this);
  }

  #refuse(message: string): void {
    if (this.#done) return;
    this.#end();
    this.#context.telemetry.refuse("outbound", this.#source, this.#target, message);
    this.#context.connections.remove(this);
  }

  /** Who calls it tells the log, then the connections: the last one to go may take the log with it. */
  #end(): void {
    this.#done = true;
    this.#abort();
    this.#client.close();
  }
}
