/**
 * Accepts connections for as long as a server runs. A failed accept, for example without free descriptors, is retried
 * after a pause. A series of failures makes two log lines and not thousands (`docs/spec/observed.md` O29).
 */
import type { Clock } from "../net/clock.ts";

/** Callbacks of {@link acceptAll}. */
interface AcceptEvents<C> {
  onConnection(connection: C): void;
  /** The first failure of a series. */
  onFailure(reason: string): void;
  /** The first success after a series of failures. */
  onRecovery(failures: number): void;
}

/** Pause after a failure, ms. */
const PAUSE = 500;

/** Resolves when `stop` is aborted. Its caller also closes the listener, which makes the pending accept fail. */
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
      if (failures++ === 0) events.onFailure(errorText(error));
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

/** The message of an error, or the text of any other value. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
