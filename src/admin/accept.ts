/**
 * Accepting for as long as a server runs. An accept that fails (no descriptors left, say) is tried again after a
 * pause, and a row of failures makes two lines in the log, not thousands (`docs/spec/observed.md` O29).
 */
import type { Clock } from "../net/clock.ts";

export interface AcceptEvents<C> {
  onConnection(connection: C): void;
  /** The first failure of a row. */
  onFailure(reason: string): void;
  /** The first success after a row. */
  onRecovery(failures: number): void;
}

/** Milliseconds: descriptors come back when others give them back. */
const PAUSE = 500;

/** Resolves once `stop` is aborted; whoever aborts it also closes the listener, which fails the accept that waits. */
export async function acceptAll<C>(
  listener: { accept(): Promise<C> },
  stop: AbortSignal,
  timers: Pick<Clock, "after">,
  events: AcceptEvents<C>,
): Promise<void> {
  let failures = 0;
  while (!stop.aborted) {
    try {
      const connection = await listener.accept();
      if (failures > 0) events.onRecovery(failures);
      failures = 0;
      events.onConnection(connection);
    } catch (error) {
      if (stop.aborted) return;
      if (failures++ === 0) events.onFailure(textOf(error));
      await pause(timers, stop);
    }
  }
}

/** Ends early when `stop` is aborted. */
function pause(timers: Pick<Clock, "after">, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      timer.cancel();
      stop.removeEventListener("abort", done);
      resolve();
    };
    const timer = timers.after(PAUSE, done);
    stop.addEventListener("abort", done);
  });
}

export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
