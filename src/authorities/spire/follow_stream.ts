/** Keeps a stream open until it is aborted; reports messages, failures and recoveries. */
import { CertificateError } from "../../identity/authority.ts";
import { backoffDelay } from "../../identity/backoff.ts";
import type { WallClock } from "../../net/clock.ts";

/** How to follow a stream. */
interface FollowOptions<T> {
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** The longest delay between two attempts, in ms. */
  readonly longestPause: number;
  /** The limit of the time until the first message of each stream, in ms; null: none. */
  readonly firstMessage: number | null;
  /** Opens the stream; `read` returns null at its end. Both reject with {@link CertificateError}. */
  open(signal: AbortSignal): Promise<{ read(): Promise<T | null> }>;
  /** Called for each message. */
  onMessage(message: T): void;
  /** Called for each failure. `retryIn`: ms. `isNew`: false where the same text was reported in the last minute. */
  onProblem(error: CertificateError, retryIn: number, isNew: boolean): void;
  /** Called before the first message after a failure. */
  onRecovered(): void;
}

/** ms after which the same problem is new again. */
const REMINDER = 60_000;
const ENDED = "the stream was closed by the agent";

/** Opens the stream, and opens it again after each end, until `signal` is aborted. */
export function followStream<T>(follow: FollowOptions<T>, signal: AbortSignal): void {
  void run(follow, signal);
}

async function run<T>(follow: FollowOptions<T>, signal: AbortSignal): Promise<void> {
  let failures = 0;
  let reported = { text: "", at: -Infinity };
  while (!signal.aborted) {
    try {
      await attempt(follow, signal, (message) => {
        if (failures > 0) follow.onRecovered();
        failures = 0;
        reported = { text: "", at: -Infinity };
        follow.onMessage(message);
      });
    } catch (error) {
      if (signal.aborted) return;
      failures++;
      const pause = Math.min(backoffDelay(failures, follow.random()), follow.longestPause);
      const problem = toCertificateError(error);
      const now = follow.clock.elapsed();
      const isNew = problem.message !== reported.text || now >= reported.at + REMINDER;
      if (isNew) reported = { text: problem.message, at: now };
      follow.onProblem(problem, pause, isNew);
      await sleep(follow.clock, pause, signal);
    }
  }
}

/**
 * Runs one stream from opening to its end; always rejects. Each stream has its own signal, as listeners on the signal of
 * the whole follower would accumulate over the life of the process.
 */
async function attempt<T>(
  follow: FollowOptions<T>,
  signal: AbortSignal,
  onMessage: (message: T) => void,
): Promise<void> {
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
      onMessage(message);
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

/** Returns `error`, wrapped unless it is a {@link CertificateError}. */
export function toCertificateError(error: unknown): CertificateError {
  if (error instanceof CertificateError) return error;
  return new CertificateError(error instanceof Error ? error.message : String(error), "UNAVAILABLE", { cause: error });
}

/** Resolves after `ms`, or when `signal` is aborted. */
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
