/** The drain of one listener's connections (`docs/spec/dataplane.md` 5.4). */
import type { DrainMode } from "../net/drain_mode.ts";
import type { Connections } from "./connections.ts";
import type { PodContext } from "./pod_context.ts";

/** What a listener is for. */
export type Component = "outbound" | "inbound" | "inbound passthrough" | "socks5";

/** Calls `done` once, when no connection is left. The caller has closed the listener before. */
export function drainConnections(
  context: PodContext,
  connections: Connections,
  component: Component,
  mode: DrainMode,
  done: () => void,
): void {
  const log = context.log.as("ztunnel::drain");
  const complete = () => {
    timer?.cancel();
    log.info("shutdown complete", { component });
    connections.close();
    done();
  };
  const timer = mode.kind === "immediate" ? null : context.loop.network.after(mode.deadline, () => {
    log.warn("drain duration expired with pending connections, forcefully shutting down", { component });
    connections.cutAll(context.loop.rounds);
  });
  connections.whenEmpty(complete);
  if (mode.kind === "immediate") connections.cutAll(context.loop.rounds);
}
