/**
 * Sends one batch after the other to a collector, with the retries of the OTLP specification ("Failures", "Retryable
 * Response Codes"): after 429, 502, 503 and 504 and where the connection fails, with growing pauses, or with the pause
 * that the collector asks for. A batch is given up after its time limit, or at once for any other answer.
 */
import type { Clock, Millis } from "../net/clock.ts";
import { connectionProblem, type Problem, rejectedProblem, statusProblem, timeoutProblem } from "./problem.ts";

/** A batch as the body of a request. */
export interface Encoded {
  readonly body: Uint8Array;
  /** How many of its records the collector has rejected. `answer`: the body of a success. May throw. */
  rejectedIn(answer: Uint8Array): { readonly count: number; readonly message: string };
}

/** The answer of a collector. */
export interface CollectorAnswer {
  readonly status: number;
  /** The header `Retry-After`. */
  readonly retryAfter: string | null;
  readonly body: Uint8Array;
}

/** Makes one request; rejects where it has no whole answer, also once `signal` is aborted. */
export type Post = (body: Uint8Array, signal: AbortSignal) => Promise<CollectorAnswer>;

/** What became of a batch. */
export type BatchOutcome =
  | { readonly kind: "accepted"; readonly rejected: number }
  | { readonly kind: "failed" };

/** What the sender needs. */
interface SenderParts {
  readonly post: Post;
  /** Goes forward only, whoever sets the machine's clock. */
  readonly clock: Clock;
  /** ms since 1970, for dates in answers. */
  readonly wallClock: () => number;
  /** For one request. */
  readonly timeout: Millis;
  /** For a batch. */
  readonly batchTimeout: Millis;
  /** From 0 up to but not including 1. */
  readonly random: () => number;
  /** A request has failed, or some records were rejected. */
  readonly onProblem: (problem: Problem) => void;
  /** A request has succeeded, with all its records. */
  readonly onSuccess: () => void;
}

const RETRYABLE: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const FIRST_PAUSE: Millis = 1000, LONGEST_PAUSE: Millis = 30_000;
/** A collector may ask for this pause at most. */
const LONGEST_ASKED: Millis = 300_000;

/** Sends the batches of one signal. */
export class BatchSender {
  readonly #parts: SenderParts;
  /** The collector has asked for no request before this time. */
  #notBefore: Millis = 0;
  #isClosed = false;
  /** Ends the pause in progress. */
  #wake: () => void = () => {};
  #abort: AbortController | null = null;

  constructor(parts: SenderParts) {
    this.#parts = parts;
  }

  /** Never rejects. One batch at a time. */
  async send(batch: Encoded): Promise<BatchOutcome> {
    const { clock, batchTimeout, random } = this.#parts;
    await this.#pause(this.#notBefore - clock.now());
    const end = clock.now() + batchTimeout;
    for (let pause = FIRST_PAUSE; !this.#isClosed; pause = Math.min(pause * 2, LONGEST_PAUSE)) {
      const answer = await this.#request(batch.body, end - clock.now());
      if (answer.status < 300 && answer.status >= 200) return this.#succeeded(batch, answer);
      if (answer.status !== 0 && !RETRYABLE.has(answer.status)) break;
      const asked = pauseAsked(answer.retryAfter, this.#parts.wallClock());
      if (asked !== null) this.#notBefore = clock.now() + asked;
      const next = asked ?? pause * (0.8 + 0.4 * random());
      if (clock.now() + next >= end) break;
      await this.#pause(next);
    }
    return { kind: "failed" };
  }

  /** Ends what is in progress. */
  close(): void {
    this.#isClosed = true;
    this.#wake();
    this.#abort?.abort();
  }

  /** Status 0: there was no answer. */
  async #request(body: Uint8Array, left: Millis): Promise<CollectorAnswer> {
    const { post, clock, onProblem } = this.#parts;
    const timeout = Math.max(1, Math.min(this.#parts.timeout, left));
    const abort = this.#abort = new AbortController();
    const timer = clock.after(timeout, () => abort.abort(timeout));
    try {
      const answer = await post(body, abort.signal);
      if (answer.status < 200 || answer.status >= 300) {
        onProblem(statusProblem(answer.status, new TextDecoder().decode(answer.body.subarray(0, 1000))));
      }
      return answer;
    } catch (error) {
      if (!this.#isClosed) onProblem(abort.signal.aborted ? timeoutProblem(timeout) : connectionProblem(error));
      return { status: 0, retryAfter: null, body: new Uint8Array() };
    } finally {
      timer.cancel();
    }
  }

  #succeeded(batch: Encoded, { body }: CollectorAnswer): BatchOutcome {
    const { count, message } = rejectedIn(batch, body);
    if (count > 0) this.#parts.onProblem(rejectedProblem(count, message));
    else this.#parts.onSuccess();
    return { kind: "accepted", rejected: count };
  }

  #pause(millis: Millis): Promise<void> {
    if (millis <= 0 || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#parts.clock.after(millis, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}

/** A success whose body cannot be read is a success. */
function rejectedIn(batch: Encoded, answer: Uint8Array): { readonly count: number; readonly message: string } {
  try {
    const { count, message } = answer.length === 0 ? { count: 0, message: "" } : batch.rejectedIn(answer);
    return { count: Number.isSafeInteger(count) && count > 0 ? count : 0, message };
  } catch {
    return { count: 0, message: "" };
  }
}

/** `Retry-After`: seconds, or a date (RFC 9110 §10.2.3). Null: there is none that can be read. */
function pauseAsked(text: string | null, now: number): Millis | null {
  if (text === null) return null;
  const value = /^[0-9]{1,9}$/.test(text.trim()) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isNaN(value) ? null : Math.min(Math.max(value, 0), LONGEST_ASKED);
}
