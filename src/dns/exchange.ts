/**
 * One question, sent to several servers until one has an answer (`docs/spec/inpod-dns.md` B5.11).
 *
 *              ┌──────────── all failed, rounds left ─────────────┐
 *              ▼                                                  │
 *     start ─▶ two servers asked ──both ended──▶ next two … ──▶ round over ─▶ failed
 *                    │                                            │
 *                    └── NOERROR, NXDOMAIN ─▶ done ◀── an error was answered
 *
 * Each server is asked by UDP, and by TCP after a truncated answer. A query that arrived by TCP is sent by TCP first,
 * and by UDP where no connection can be made.
 */
import type { Millis } from "../net/clock.ts";
import type { Protocol } from "./answer_writer.ts";
import type { Attempt, UpstreamParts, UpstreamResponse } from "./attempt.ts";
import type { Message } from "./response_reader.ts";
import type { Server, ServerList } from "./server_list.ts";
import { TcpAttempt } from "./tcp_attempt.ts";
import { UdpAttempt } from "./udp_attempt.ts";
import { NOERROR, NXDOMAIN } from "./wire.ts";

const SERVERS_AT_ONCE = 2;
const SHORTEST_INTERVAL: Millis = 333;
const INTERVAL_FACTOR = 1.2;

/** Servers and limits of an exchange. */
export interface ExchangeSettings extends UpstreamParts {
  readonly servers: ServerList;
  /** Rounds after the first; each asks all servers. */
  readonly attempts: number;
}

/** The result of an exchange. */
export type Outcome =
  | {
    readonly kind: "answer";
    /** The complete response. */
    readonly full: UpstreamResponse;
    /** The truncated response that came by UDP before it; null: there was none. */
    readonly short: UpstreamResponse | null;
  }
  /** `why`: text for the log. `overload`: refused because of a limit. */
  | { readonly kind: "failed"; readonly why: string; readonly overload?: true };

/** An exchange in progress; it begins with the constructor. */
export class Exchange {
  readonly #settings: ExchangeSettings;
  readonly #message: Message;
  readonly #protocol: Protocol;
  readonly #done: (outcome: Outcome) => void;
  readonly #attempts = new Set<Attempt>();
  #remaining: Server[] = [];
  #round = 0;
  /** An error response, used where no server gives a better one. */
  #error: Outcome | null = null;
  #lastFailure = "";
  #reachable = false;
  #isDone = false;

  /**
   * Owns the bytes of `message` and writes ids into them. `done` is called once, after the constructor, unless aborted.
   */
  constructor(
    settings: ExchangeSettings,
    message: Message,
    protocol: Protocol,
    done: (outcome: Outcome) => void,
  ) {
    this.#settings = settings;
    this.#message = message;
    this.#protocol = protocol;
    this.#done = done;
    this.#beginRound();
  }

  /** Ends all attempts. `done` is not called. Idempotent. */
  abort(): void {
    this.#isDone = true;
    for (const attempt of this.#attempts) attempt.abort();
    this.#attempts.clear();
  }

  #beginRound(): void {
    this.#remaining = this.#settings.servers.inOrder;
    this.#reachable = false;
    if (this.#remaining.length === 0) this.#settings.network.after(0, () => this.#ended());
    this.#askNext();
  }

  #askNext(): void {
    for (const server of this.#remaining.splice(0, SERVERS_AT_ONCE)) this.#ask(server, this.#protocol, null);
  }

  #ask(server: Server, protocol: Protocol, short: UpstreamResponse | null): void {
    const events = {
      onAnswer: (answer: UpstreamResponse, after: Millis) => {
        this.#attempts.delete(attempt);
        if (short === null) server.answered(after);
        if (protocol === "udp" && answer.facts.truncated) this.#truncated(server, answer);
        else this.#answered({ kind: "answer", full: answer, short });
      },
      onAttemptFailure: (code: string) => {
        this.#attempts.delete(attempt);
        // The truncated response is better than none.
        if (short !== null) return this.#answered({ kind: "answer", full: short, short: null });
        this.#failed(server, protocol, code);
      },
    };
    const attempt: Attempt = protocol === "udp"
      ? new UdpAttempt(this.#settings, server.address, this.#message, intervalFor(server), events)
      : new TcpAttempt(this.#settings, server.address, this.#message, events);
    this.#attempts.add(attempt);
  }

  #truncated(server: Server, answer: UpstreamResponse): void {
    // The client used TCP, and UDP was tried only because no connection could be made.
    if (this.#protocol === "tcp") this.#answered({ kind: "answer", full: answer, short: null });
    else this.#ask(server, "tcp", answer);
  }

  #answered(outcome: Outcome & { kind: "answer" }): void {
    const { rcode } = outcome.full.facts;
    this.#reachable = true;
    if (rcode === NOERROR || rcode === NXDOMAIN) return this.#finish(outcome);
    this.#error = outcome;
    this.#ended();
  }

  #failed(server: Server, protocol: Protocol, code: string): void {
    server.failed();
    this.#lastFailure = code;
    if (code === "TIMEOUT") this.#reachable = true;
    // Forged datagrams arrive before the response. TCP cannot be forged in this way.
    if (code === "TOO_MANY_MISMATCHES" && this.#protocol === "udp") return this.#ask(server, "tcp", null);
    if (protocol === "tcp" && this.#protocol === "tcp" && code !== "TIMEOUT" && code !== "NO_ANSWER") {
      return this.#ask(server, "udp", null);
    }
    this.#ended();
  }

  /** One attempt has ended. */
  #ended(): void {
    if (this.#attempts.size > 0) return;
    if (this.#remaining.length > 0) return this.#askNext();
    if (this.#error !== null) return this.#finish(this.#error);
    // Where no server can be reached, another round would fail at once in the same way.
    if (this.#reachable && this.#round++ < this.#settings.attempts) return this.#beginRound();
    this.#finish({ kind: "failed", why: failureText(this.#lastFailure) });
  }

  #finish(outcome: Outcome): void {
    if (this.#isDone) return;
    this.abort();
    for (const server of this.#remaining) server.skipped();
    this.#done(outcome);
  }
}

function intervalFor({ smoothed }: Server): Millis {
  return Math.max(SHORTEST_INTERVAL, INTERVAL_FACTOR * smoothed);
}

function failureText(code: string): string {
  switch (code) {
    case "TIMEOUT":
    case "DIAL_TIMEOUT":
      return "request timed out";
    case "":
      return "no nameserver is known";
    case "NO_ANSWER":
      return "the nameserver closed the connection or answered something else";
    case "NOT_SENT":
      return "the question could not be sent";
    case "TOO_MANY_MISMATCHES":
      return "too many datagrams came that are not the answer";
    default:
      return `nameserver cannot be reached: ${code}`;
  }
}
