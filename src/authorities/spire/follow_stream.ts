/** Keeps a stream open for as long as it is needed: what it says, what goes wrong, and when it is well again. */
import { CertificateError } from "../../identity/authority.ts";
import { backoffDelay } from "../../identity/backoff.ts";
import type { WallClock } from "../../identity/certificate_manager.ts";

export interface Follow<T> {
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** ms: the longest pause between two attempts. */
  readonly longestPause: number;
  /** ms until the first message of each stream; null: a stream may never bring one. */
  readonly firstMessage: number | null;
  /** Rejects with {@link CertificateError}, as reading does. A stream's null is its end. */
  open(signal: AbortSignal): Promise<{ read(): Promise<T | null> }>;
  onMessage(message: T): void;
  /** For each failure. `retryIn`: ms. `news`: not the same again within a minute. */
  onProblem(error: CertificateError, retryIn: number, news: boolean): void;
  /** Before the first message after a failure. */
  onBack(): void;
}

/** ms after which a problem that stays is told again. */
const REMINDER = 60_000;
const ENDED = "the stream was closed by the agent";

/** Begins at once; ends with `signal`. */
export function followStream<T>(follow: Follow<T>, signal: AbortSignal): void {
  void run(follow, signal);
}

async function run<T>(follow: Follow<T>, signal: AbortSignal): Promise<void> {
  let failures = 0;
  let told = { text: "", at: -Infinity };
  while (!signal.aborted) {
    try {
      await attempt(follow, signal, (message) => {
        if (failures > 0) follow.onBack();
        failures = 0;
        told = { text: "", at: -Infinity };
        follow.onMessage(message);
      });
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      const pause = Math.min(backoffDelay(failures, follow.random()), follow.longestPause);
      const problem = toCertificateError(error);
      const now = follow.clock.now();
      const news = problem.message !== told.text || now >= told.at + REMINDER;
      if (news) told = { text: problem.message, at: now };
      follow.onProblem(problem, pause, news);
      await sleep(follow.clock, pause, signal);
    }
  }
}

/**
 * Runs one stream, from opening to its end, which is always an error. The stream has a signal of its own: listeners on
 * the signal of the whole follower would accumulate over the life of the process.
 */
async function attempt<T>(follow: Follow<T>, signal: AbortSignal, take: (message: T) => void): Promise<void> {
  const own = new AbortController();
  const end = () => own.abort(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  const { firstMessage } = follow;
  const silence = firstMessage === null
    ? null
    : follow.clock.after(firstMessage, () => own.abort(silent(firstMessage)));
  try {
    const stream = await follow.open(own.signal);
    for (let message = await stream.read(); message !== null; message = await stream.read()) {
      if (own.signal.aborted) break;
      silence?.cancel();
      take(message);
    }
    throw new CertificateError(ENDED, "UNAVAILABLE");
  } catch (error) {
    throw own.signal.aborted ? own.signal.reason : error;
  } finally {
    silence?.cancel();
    signal.removeEventListener("abort", end);
    own.abort();
  }
}

function silent(limit: number): CertificateError {
  const text = `the agent accepts the stream and has sent nothing for ${
    limit / 1000
  } s; does it reach its SPIRE server?`;
  return new CertificateError(text, "TIMEOUT");
}

export function toCertificateError(error: unknown): CertificateError {
  if (error instanceof CertificateError) return error;
  return new CertificateError(error instanceof Error ? error.message : String(error), "UNAVAILABLE", { cause: error });
}

/** Returns early when aborted. */
export function sleep(clock: Pick<WallClock, "after">, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => {
    timer.cancel();
    signal.removeEventListener("abort", end);
    resolve();
  };
  const timer = clock.after(ms, end);
  signal.addEventListener("abort", end);
  return promise;
}
