/** A SOCKS5 client of the pod, port 15080: negotiation, then an outbound connection (`docs/spec/dataplane.md` 6). */
import type { Pool } from "../hbone/pool.ts";
import { traceIdOf } from "../mesh/headers/traceparent.ts";
import { isIpv4, parseIp, type SocketAddress } from "../net/address.ts";
import type { Millis, Timer } from "../net/clock.ts";
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../net/duplex.ts";
import { flowBeforeRoute, type FlowParts } from "../telemetry/flow.ts";
import type { LogScope } from "../telemetry/log.ts";
import { connectionLog } from "./connection_log.ts";
import type { ConnectionSummary, LiveConnection } from "./connections.ts";
import { OutboundConnection } from "./outbound_connection.ts";
import type { PodContext } from "./pod_context.ts";
import { PrefixedDuplex } from "../net/prefixed_duplex.ts";
import { Socks5Negotiation, type Socks5Request, type Socks5Step } from "./socks5.ts";
import type { ResolvedName, Resolving } from "./name_resolver.ts";
import {
  badName,
  lookupFailed,
  noAddresses,
  noResolver,
  type Socks5Failure,
  socks5Reply,
  SUCCEEDED,
} from "./socks5_failure.ts";

/** Larger than any negotiation. */
const READ_SIZE = 1024;
/** Time limit for the client's request. */
const NEGOTIATION_TIMEOUT: Millis = 10_000;

/** A client from accept to its request; then {@link OutboundConnection} takes over its socket. */
export class Socks5Connection implements LiveConnection, DuplexSink {
  readonly #context: PodContext;
  readonly #pool: Pool;
  readonly #client: Duplex;
  readonly #negotiation = new Socks5Negotiation();
  readonly #timer: Timer;
  readonly #startedAt: Millis;
  registration = 0;
  readonly isSocket = true;
  readonly call = null;
  readonly way = null;
  readonly forwardedHost = null;
  readonly isHalfClosed = false;
  /** The resolution of the client's name; nothing is read meanwhile. */
  #resolving: Resolving | null = null;
  /** Null until a line needs it. */
  #traceparent: string | null = null;
  #done = false;

  constructor(context: PodContext, pool: Pool, client: Duplex) {
    this.#context = context;
    this.#pool = pool;
    this.#client = client;
    this.#startedAt = context.loop.network.now();
    this.#timer = context.loop.network.after(NEGOTIATION_TIMEOUT, () => this.#timedOut());
    context.connections.add(this);
  }

  /** The destination is our own listener, as long as the client has not named another one. */
  get summary(): ConnectionSummary {
    const { remote, local } = this.#client;
    return { source: remote, destination: local, service: null, startedAt: this.#startedAt };
  }

  get log(): LogScope {
    return connectionLog(this.#context, this.#id, null);
  }

  /** The destination is our own listener, as above. */
  get flow(): FlowParts {
    const { remote: source, local: original } = this.#client;
    const state = this.#resolving === null ? "accepted" : "resolving";
    const times = { resolved: null, authorized: null, connected: null, handshaken: null, answered: null };
    const startedAt = this.#startedAt;
    const facts = {
      id: this.#id,
      traceparent: this.#trace,
      continuesTrace: false,
      tls: null,
      carrier: null,
      attempt: 1,
      decision: null,
      startedAt,
      times,
      original,
      dryRuns: [],
    };
    const { network } = this.#context.loop;
    return flowBeforeRoute({ direction: "outbound", state, source, startedAt, facts }, network.now());
  }

  get #id(): string {
    return traceIdOf(this.#trace);
  }

  get #trace(): string {
    return this.#traceparent ??= this.#context.newTraceparent();
  }

  start(): void {
    this.#client.start(this);
    if (this.#client.readable) this.onReadable();
  }

  cut(): void {
    this.#end();
    this.#client.close(true);
  }

  onWritable(): void {}

  onFailure(ending: Ending): void {
    if (this.#resolving !== null) return this.cut();
    this.#step(this.#negotiation.interrupted(ending.message));
  }

  onReadable(): void {
    if (this.#resolving !== null) {
      if (this.#client.broken) this.cut();
      return;
    }
    const buffer = new Uint8Array(READ_SIZE);
    while (!this.#done && this.#resolving === null) {
      const count = this.#client.read(buffer);
      if (count === FAILED) return this.#step(this.#negotiation.interrupted(this.#client.failure!.message));
      if (count > 0) this.#step(this.#negotiation.feed(buffer.subarray(0, count)));
      if (this.#done) return;
      if (this.#client.ended) return this.#step(this.#negotiation.interrupted());
      if (!this.#client.readable) return;
    }
  }

  #timedOut(): void {
    this.#step(this.#negotiation.interrupted(`the client did not say within ${NEGOTIATION_TIMEOUT} ms what it wants`));
  }

  #step(step: Socks5Step): void {
    if (step.reply.length > 0) this.#client.write(step.reply);
    switch (step.at) {
      case "needs more":
        return;
      case "failed":
        return this.#refuse(step.failure);
      case "requested":
        return this.#requested(step.request, step.rest);
      default:
        step satisfies never;
    }
  }

  /** Some clients send a literal address in place of a name. */
  #requested(request: Socks5Request, early: Uint8Array): void {
    this.#timer.cancel();
    if (request.kind === "address") return this.#connect(request.address, early);
    const ip = parseIp(request.host);
    if (ip !== null) return this.#connect({ ip, port: request.port }, early);
    const { pod } = this.#context.names;
    if (pod === null) return this.#refuseName(noResolver());
    const kept = early.slice();
    const family = isIpv4(this.#client.remote.ip) ? "ipv4" : "ipv6";
    this.#resolving = pod.resolve(request.host, family, (result) => this.#resolved(result, request.port, kept));
  }

  #resolved(result: ResolvedName, port: number, early: Uint8Array): void {
    this.#resolving = null;
    if (result.kind !== "addresses") {
      return this.#refuseName(result.kind === "invalid" ? badName(result.reason) : lookupFailed(result.reason));
    }
    const [ip] = result.addresses;
    if (ip === undefined) this.#refuseName(noAddresses());
    else this.#connect({ ip, port }, early);
  }

  #refuseName(failure: Socks5Failure): void {
    this.#client.write(socks5Reply(failure.code));
    this.#refuse(failure);
  }

  /** The reply is a success before anything is dialled: where that fails, the client's connection ends. */
  #connect(target: SocketAddress, early: Uint8Array): void {
    this.#client.write(socks5Reply(SUCCEEDED));
    const client = early.length > 0 ? new PrefixedDuplex(early, this.#client) : this.#client;
    // Made before this one is removed, so that a drain does not end in between.
    const outbound = new OutboundConnection(this.#context, this.#pool, client, target, this.#traceparent);
    this.#end();
    outbound.start();
  }

  #refuse(failure: Socks5Failure): void {
    this.#context.lines.warn("SOCKS5", this.log, failure.message);
    this.#end();
    this.#client.close();
  }

  #end(): void {
    if (this.#done) return;
    this.#done = true;
    this.#timer.cancel();
    this.#resolving?.abort();
    this.#context.connections.remove(this);
  }
}
