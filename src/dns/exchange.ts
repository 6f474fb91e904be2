/**
 * One question and its answer from whichever server has one (`docs/spec/inpod-dns.md` B5.11).
 *
 *              ┌──────────── all failed, rounds left ─────────────┐
 *              ▼                                                  │
 *     start ─▶ two servers asked ──both ended──▶ next two … ──▶ round over ─▶ failed
 *                    │                                            │
 *                    └── NOERROR, NXDOMAIN ─▶ done ◀── an error was answered
 *
 * At one server: UDP, and TCP when the answer was truncated; what came by TCP begins there, and tries UDP where no
 * connection can be made.
 */
import type { Millis } from "../net/clock.ts";
import type { Protocol } from "./answer_writer.ts";
import type { Answer, Attempt, UpstreamParts } from "./attempt.ts";
import type { Message } from "./response_reader.ts";
import type { Server, ServerList } from "./server_list.ts";
import { TcpAttempt } from "./tcp_attempt.ts";
import { UdpAttempt } from "./udp_attempt.ts";
import { NOERROR, NXDOMAIN } from "./wire.ts";

const SERVERS_AT_ONCE = 2;
const SHORTEST_INTERVAL: Millis = 333;
const INTERVAL_FACTOR = 1.2;

export interface ExchangeSettings extends UpstreamParts {
  readonly servers: ServerList;
  /** Rounds beyond the first. */
  readonly attempts: number;
}

export type Outcome =
  | {
    readonly kind: "answer";
    /** All there is. */
    readonly full: Answer;
    /** The truncated one that came by UDP before it; null where the first was whole. */
    readonly short: Answer | null;
  }
  /** `why`: for the log. `overload`: it was not even tried. */
  | { readonly kind: "failed"; readonly why: string; readonly overload?: true };

export class Exchange {
  readonly #settings: ExchangeSettings;
  readonly #message: Message;
  readonly #protocol: Protocol;
  readonly #done: (outcome: Outcome) => void;
  readonly #attempts = new Set<Attempt>();
  #left: Server[] = [];
  #round = 0;
  /** What a server answered that could not help. */
  #error: Outcome | null = null;
  #lastFailure = "";
  #reachable = false;
  #over = false;

  /** Owns the message's bytes: ids are written into them. `done` is called once, never from inside, unless aborted. */
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

  abort(): void {
    this.#over = true;
    for (const attempt of this.#attempts) attempt.abort();
    this.#attempts.clear();
  }

  #beginRound(): void {
    this.#left = this.#settings.servers.inOrder;
    this.#reachable = false;
    if (this.#left.length === 0) this.#settings.network.after(0, () => this.#ended());
    this.#askNext();
  }

  #askNext(): void {
    for (const server of this.#left.splice(0, SERVERS_AT_ONCE)) this.#ask(server, this.#protocol, null);
  }

  #ask(server: Server, protocol: Protocol, short: Answer | null): void {
    const events = {
      onAnswer: (answer: Answer, after: Millis) => {
        this.#attempts.delete(attempt);
        if (short === null) server.answered(after);
        if (protocol === "udp" && answer.facts.truncated) this.#truncated(server, answer);
        else this.#answered({ kind: "answer", full: answer, short });
      },
      onAttemptFailure: (code: string) => {
        this.#attempts.delete(attempt);
        // The truncated answer is better than none.
        if (short !== null) return this.#answered({ kind: "answer", full: short, short: null });
        this.#failed(server, protocol, code);
      },
    };
    const attempt: Attempt = protocol === "udp"
      ? new UdpAttempt(this.#settings, server.address, this.#message, intervalFor(server), events)
      : new TcpAttempt(this.#settings, server.address, this.#message, events);
    this.#attempts.add(attempt);
  }

  #truncated(server: Server, answer: Answer): void {
    // A client that came by TCP got here because there was no way by TCP.
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
    // Forgeries arrive faster than the answer: over TCP they cannot.
    if (code === "TOO_MANY_STRANGERS" && this.#protocol === "udp") return this.#ask(server, "tcp", null);
    if (protocol === "tcp" && this.#protocol === "tcp" && code !== "TIMEOUT" && code !== "NO_ANSWER") {
      return this.#ask(server, "udp", null);
    }
    this.#ended();
  }

  /** One server less to wait for. */
  #ended(): void {
    if (this.#attempts.size > 0) return;
    if (this.#left.length > 0) return this.#askNext();
    if (this.#error !== null) return this.#finish(this.#error);
    // Where nobody can be reached, another round would find the same at once.
    if (this.#reachable && this.#round++ < this.#settings.attempts) return this.#beginRound();
    this.#finish({ kind: "failed", why: failureText(this.#lastFailure) });
  }

  #finish(outcome: Outcome): void {
    if (this.#over) return;
    this.abort();
    for (const server of this.#left) server.passedOver();
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
    case "TOO_MANY_STRANGERS":
      return "too many datagrams came that are not the answer";
    default:
      return `nameserver cannot be reached: ${code}`;
  }
}
