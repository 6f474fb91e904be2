/**
 * A CONNECT until the peer has answered it: waiting for a connection, then for the answer, within a time limit.
 *
 * ```
 *  waiting ──openOn──▶ requested ──200──▶ settled: onTunnel
 *   │  ▲                 │ │
 *   │  └── placeAgain ───┘ │   once, where the peer has not answered and takes no more requests or has vanished
 *   └──────────────────────┴── abort, fail, timeout, another status, reset ──▶ settled
 * ```
 * A peer that drains may drop what had been sent when its GOAWAY arrived, and some never answer it (observed O38).
 * Before a 200 no byte of the application has been sent, so the request can be made elsewhere (RFC 9113 §8.7).
 */
import { ErrorCode, type H2Failure, type HeaderList, type Stream, type StreamHandler } from "../h2/seam.ts";
import type { Millis, Timer } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";
import type { ClientConnection } from "./client_connection.ts";
import { headerValue } from "./connect_headers.ts";
import {
  connectTimeout,
  peerVanished,
  requestFailure,
  responseTimeout,
  statusFailure,
  type TunnelFailure,
} from "./failure.ts";

/** How a CONNECT went: one of the two is called, unless the caller aborts it before. */
export interface TunnelEvents {
  /** The peer answered 200 with the headers `answer`. Set `stream.handler` before returning. */
  onTunnel(stream: Stream, answer: HeaderList, connection: ClientConnection): void;
  /** `connection`: where it was requested; null: nowhere. */
  onTunnelFailure(failure: TunnelFailure, connection: ClientConnection | null): void;
}

/** What a connection in the making waits for: our own certificate, the peer's TCP, or its TLS. */
export type ConnectProgress = "awaiting credential" | "connecting" | "handshaking";

/** Finds connections for a tunnel: the pool. */
interface TunnelPlacement {
  /** Puts the tunnel on another connection, or lets it wait for one. False: not possible any more. */
  placeAgain(): boolean;
  /** Called once, when the tunnel waits for nothing any more. */
  onSettled(): void;
  /** How far the connection has come that the tunnel waits for. */
  progress(): ConnectProgress;
  /** The caller can use another endpoint, so a peer that has vanished gets no second chance. */
  readonly hasAlternatives: boolean;
}

/** How far a CONNECT has come: TCP, TLS, or sent and not answered. */
export type OpeningPhase = "connecting" | "handshaking" | "requesting";

/** For a tunnel that has a connection of its own: it is requested once. */
export const SINGLE_ATTEMPT: TunnelPlacement = {
  placeAgain: () => false,
  onSettled() {},
  progress: () => "connecting",
  hasAlternatives: false,
};

/**
 * How long a peer that has sent GOAWAY may leave a request unanswered, and how often it is checked whether the peer has
 * vanished.
 */
const GOAWAY_TIMEOUT: Millis = 1000;

/** One CONNECT that is not answered yet. */
export class OpeningTunnel implements StreamHandler {
  readonly #scheduler: Scheduler;
  readonly #timeout: Millis;
  readonly #headers: HeaderList;
  readonly #events: TunnelEvents;
  readonly #placement: TunnelPlacement;
  /** How often the request may be repeated. */
  #repetitions = 1;
  /** An event was called, or `abort`. */
  #isSettled = false;
  #timer: Timer | null = null;
  #connection: ClientConnection | null = null;
  #stream: Stream | null = null;

  /** `timeout`: for the answer, in ms, from each {@link openOn}. */
  constructor(
    scheduler: Scheduler,
    timeout: Millis,
    headers: HeaderList,
    events: TunnelEvents,
    placement: TunnelPlacement,
  ) {
    this.#scheduler = scheduler;
    this.#timeout = timeout;
    this.#headers = headers;
    this.#events = events;
    this.#placement = placement;
  }

  get phase(): OpeningPhase {
    if (this.#stream !== null) return "requesting";
    return this.#placement.progress() === "handshaking" ? "handshaking" : "connecting";
  }

  /** Fails when it is not opened within `limit` ms. */
  awaitConnection(limit: Millis): void {
    this.#timer = this.#scheduler.after(limit, () => {
      const progress = this.#placement.progress();
      if (progress === "awaiting credential") this.awaitConnection(limit);
      else this.fail(connectTimeout(progress === "handshaking"));
    });
  }

  /** Sends the request on `connection`. False: the connection takes no more streams. */
  openOn(connection: ClientConnection): boolean {
    const stream = connection.open(this.#headers, this);
    if (stream === null) return false;
    this.#timer?.cancel();
    this.#connection = connection;
    this.#stream = stream;
    this.#awaitAnswer(this.#timeout);
    return true;
  }

  /** Fails after `left` ms. Checks from time to time whether the peer still takes requests and is alive. */
  #awaitAnswer(left: Millis): void {
    const next = Math.min(left, GOAWAY_TIMEOUT);
    this.#timer = this.#scheduler.after(next, () => {
      if (left === next) return this.#giveUp(responseTimeout());
      this.#connection?.probe();
      if (!this.#requestElsewhere()) this.#awaitAnswer(left - next);
    });
  }

  /** Repeats the request on another connection where this one's peer takes no more or has vanished. False: it does not. */
  #requestElsewhere(): boolean {
    const stream = this.#stream;
    const connection = this.#connection;
    if (this.#repetitions === 0 || connection === null) return false;
    if (!connection.refusesRequests) {
      if (!connection.isUnresponsive) return false;
      if (this.#placement.hasAlternatives) {
        this.#giveUp(peerVanished());
        return true;
      }
    }
    this.#repetitions--;
    this.#timer?.cancel();
    if (!this.#placement.placeAgain()) return false;
    stream?.reset(ErrorCode.CANCEL);
    return true;
  }

  /** Gives up the request, whatever its state: no event follows. Idempotent. */
  abort(): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#stream?.reset(ErrorCode.CANCEL);
  }

  /** Ends the wait for a connection with a failure. */
  fail(failure: TunnelFailure): void {
    if (this.#isSettled) return;
    this.#settle();
    this.#events.onTunnelFailure(failure, this.#connection);
  }

  onResponse(headers: HeaderList): void {
    const status = headerValue(headers, ":status") ?? "";
    if (status !== "200") return this.#giveUp(statusFailure(status));
    this.#settle();
    this.#events.onTunnel(this.#stream!, headers, this.#connection!);
  }

  onReset(failure: H2Failure): void {
    const isUnprocessed = failure.by === "peer" && failure.code === ErrorCode.REFUSED_STREAM;
    if (!isUnprocessed || !this.#requestElsewhere()) this.fail(requestFailure(failure));
  }

  onData(): void {}
  onEnd(): void {}
  onFlush(): void {}
  onSendReady(): void {}

  #giveUp(failure: TunnelFailure): void {
    if (this.#isSettled) return;
    this.#stream?.reset(ErrorCode.CANCEL);
    this.fail(failure);
  }

  #settle(): void {
    this.#isSettled = true;
    this.#timer?.cancel();
    this.#placement.onSettled();
  }
}
