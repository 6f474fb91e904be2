/**
 * A CONNECT on its way: waiting for a connection, then for the peer's answer, within a time limit.
 *
 *     waiting ──openOn──▶ asked ──200──▶ handed over
 *      │  ▲                 │ │
 *      │  └──── again ──────┘ │   once, where the peer leaves and has not answered
 *      └──────────────────────┴── abort / fail / timeout / other status / reset ──▶ done
 *
 * A peer that drains may not take what had been sent when its GOAWAY came, and some never answer it (observed O38).
 * Before a 200 no byte of the application has left, so that the request can be made elsewhere (RFC 9113 §8.7).
 */
import { ErrorCode, type H2Failure, type HeaderList, type Stream, type StreamHandler } from "../h2/seam.ts";
import type { Millis, Scheduler, Timer } from "../net/network.ts";
import type { ClientConnection } from "./client_connection.ts";
import { headerValue } from "./connect_headers.ts";
import { requestFailure, responseTimeout, statusFailure, type TunnelFailure } from "./failure.ts";

export interface TunnelEvents {
  /** The peer said 200. Set `stream.handler` before returning. */
  onTunnel(stream: Stream, answer: HeaderList, connection: ClientConnection): void;
  onTunnelFailure(failure: TunnelFailure): void;
}

/** How long a peer that has sent a GOAWAY may leave a request unanswered. */
const PATIENCE: Millis = 1000;

export class OpeningTunnel implements StreamHandler {
  readonly #scheduler: Scheduler;
  readonly #timeout: Millis;
  readonly #headers: HeaderList;
  readonly #events: TunnelEvents;
  #timer: Timer | null = null;
  #connection: ClientConnection | null = null;
  #stream: Stream | null = null;
  #done = false;
  /** Set by the pool: puts the tunnel on another connection. False when it cannot. */
  again: (() => boolean) | null = null;
  /** Set by the pool while it holds the tunnel. */
  onAbort: () => void = () => {};

  constructor(scheduler: Scheduler, timeout: Millis, headers: HeaderList, events: TunnelEvents) {
    this.#scheduler = scheduler;
    this.#timeout = timeout;
    this.#headers = headers;
    this.#events = events;
  }

  /** False when the connection takes no more streams. */
  openOn(connection: ClientConnection): boolean {
    const stream = connection.open(this.#headers, this);
    if (stream === null) return false;
    this.#connection = connection;
    this.#stream = stream;
    this.#await(this.#timeout);
    return true;
  }

  #await(left: Millis): void {
    const next = Math.min(left, PATIENCE);
    this.#timer = this.#scheduler.after(next, () => {
      if (left === next) this.#giveUp(responseTimeout());
      else if (!this.#elsewhere()) this.#await(left - next);
    });
  }

  /** Leaves a connection whose peer takes no more requests. */
  #elsewhere(): boolean {
    const { again } = this, stream = this.#stream;
    if (again === null || this.#connection?.refusesMore !== true) return false;
    this.again = null;
    this.#timer?.cancel();
    if (!again()) return false;
    stream?.reset(ErrorCode.CANCEL);
    return true;
  }

  /** No event follows. */
  abort(): void {
    if (this.#done) return;
    this.#finish();
    this.#stream?.reset(ErrorCode.CANCEL);
  }

  fail(failure: TunnelFailure): void {
    if (this.#done) return;
    this.#finish();
    this.#events.onTunnelFailure(failure);
  }

  onResponse(headers: HeaderList): void {
    const status = headerValue(headers, ":status") ?? "";
    if (status !== "200") return this.#giveUp(statusFailure(status));
    this.#finish();
    this.#events.onTunnel(this.#stream!, headers, this.#connection!);
  }

  onReset(failure: H2Failure): void {
    const untouched = failure.by === "peer" && failure.code === ErrorCode.REFUSED_STREAM;
    if (!untouched || !this.#elsewhere()) this.fail(requestFailure(failure));
  }

  onData(): void {}
  onEnd(): void {}
  onFlush(): void {}
  onSendReady(): void {}

  #giveUp(failure: TunnelFailure): void {
    if (this.#done) return;
    this.#stream?.reset(ErrorCode.CANCEL);
    this.fail(failure);
  }

  #finish(): void {
    this.#done = true;
    this.#timer?.cancel();
    this.onAbort();
  }
}
