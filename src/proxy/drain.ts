/** The drain of one listener's connections (`docs/spec/dataplane.md` 5.4). */
import type { DrainMode } from "../net/drain_mode.ts";
import type { TurnTask } from "../net/network.ts";
import type { Connections } from "./connections.ts";
import { CutList } from "./cut_list.ts";
import type { Component, PodContext } from "./pod_context.ts";

/** Connections that are added to the list in one turn of the event loop; this takes below 5 ms before the code is compiled. */
export const LISTED_PER_TURN = 500;

/** Calls `done` once, when no connection is left. The caller has closed the listener before. */
export function drainConnections(
  context: PodContext,
  connections: Connections,
  component: Component,
  mode: DrainMode,
  done: () => void,
): void {
  const log = context.log.as("ztunnel::drain");
  const { network, rounds } = context.loop;
  const complete = () => {
    timer?.cancel();
    log.info("shutdown complete", { component });
    connections.close();
    done();
  };
  const timer = mode.kind === "immediate" ? null : network.after(mode.deadline, () => {
    log.warn("drain duration expired with pending connections, forcefully shutting down", { component });
    listConnections(context, connections, (list) => {
      if (list.count > 0) log.warn("connections that are cut now", { component, ...list.fields() });
      connections.cutAll(rounds);
    });
  });
  connections.whenEmpty(complete);
  if (mode.kind === "immediate") connections.cutAll(rounds);
}

/** Lists the connections that are open, some in each turn, and calls `then` with the list. */
function listConnections({ loop }: PodContext, connections: Connections, then: (list: CutList) => void): void {
  const list = new CutList(loop.network.now());
  const present = connections.present();
  let at = 0;
  const task: TurnTask = {
    runTurn() {
      const end = Math.min(present.length, at + LISTED_PER_TURN);
      for (; at < end; at++) {
        const connection = present[at]!;
        // It may have ended meanwhile.
        const summary = connections.has(connection) ? connection.summary : null;
        if (summary !== null) list.add(summary);
      }
      if (at < present.length) loop.rounds.add(task);
      else then(list);
    },
  };
  loop.rounds.take(task);
}
