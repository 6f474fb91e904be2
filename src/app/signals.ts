/** Signals that end the node (`docs/spec/config-admin.md` 7.3). */
import type { Log } from "../telemetry/log.ts";

/** Resolves at the first SIGTERM or SIGINT. A second SIGINT ends the process at once; a second SIGTERM is ignored. */
export function stopSignal(log: Log): Promise<void> {
  const scope = log.scope("ztunnel::signal::imp");
  const { promise, resolve } = Promise.withResolvers<void>();
  let interrupted = false;
  let terminated = false;
  Deno.addSignalListener("SIGTERM", () => {
    if (terminated) return;
    terminated = true;
    scope.info("received signal SIGTERM, starting shutdown");
    resolve();
  });
  Deno.addSignalListener("SIGINT", () => {
    if (interrupted) {
      scope.info("Double Ctrl+C, exit immediately");
      log.flush();
      Deno.exit(0);
    }
    interrupted = true;
    scope.info("received signal SIGINT, starting shutdown");
    resolve();
  });
  return promise;
}
