/** Signals that end the node (`docs/spec/config-admin.md` 7.3). */
import type { Log } from "../telemetry/log.ts";
import type { Stopping } from "./stopping.ts";

/**
 * SIGTERM or SIGINT begins the stop. SIGTERM after that has open connections cut, so that the process ends without
 * waiting for the drain's deadline; a second SIGINT ends the process at once.
 */
export function stopOnSignals(stopping: Stopping, log: Log): void {
  const scope = log.scope("ztunnel::signal::imp");
  let interrupted = false;
  Deno.addSignalListener("SIGTERM", () => {
    switch (stopping.state) {
      case "running":
        scope.info("received signal SIGTERM, starting shutdown");
        return stopping.begin();
      case "draining":
        scope.info("received signal SIGTERM again, cutting open connections");
        return stopping.force();
      case "cutting":
        return;
    }
  });
  Deno.addSignalListener("SIGINT", () => {
    if (interrupted) {
      scope.info("Double Ctrl+C, exit immediately");
      log.flush();
      Deno.exit(0);
    }
    interrupted = true;
    scope.info("received signal SIGINT, starting shutdown");
    stopping.begin();
  });
}
