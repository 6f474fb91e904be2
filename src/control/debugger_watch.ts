/** Keeps the runtime's debugger closed, which SIGUSR1 would open (`docs/architecture.md`, "The runtime's debugger"). */
import { keepDebuggerSignalIgnored } from "../os/debugger_signal.ts";
import type { Log } from "../telemetry/log.ts";

/** ms between two checks. */
const PERIOD = 10_000;

/** Checks at once and then every 10 s that the signal is ignored. A check that failed was never seen. */
export function keepDebuggerClosed(log: Log): { stop(): void } {
  const check = () => {
    if (keepDebuggerSignalIgnored()) return;
    log.scope("ztunnel").error("SIGUSR1 would have opened the runtime's debugger; it is ignored again");
  };
  check();
  const timer = setInterval(check, PERIOD);
  return { stop: () => clearInterval(timer) };
}
