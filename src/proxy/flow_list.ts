/** Lists the open connections of a pod, also from the middle, so that tables can be read in pages. */
import type { FlowParts } from "../telemetry/flow.ts";
import type { Connections } from "./connections.ts";

/** The place of a connection in the list of a worker's open connections, which is in this order. */
export interface FlowPosition {
  /** {@link PodProxy.number} */
  readonly pod: number;
  /** Index of the listener. */
  readonly component: number;
  readonly registration: number;
}

/** An open connection of a pod. */
export interface OpenFlow {
  readonly position: FlowPosition;
  /** `namespace/name` */
  readonly pod: string;
  /** Null: it carries streams, which are listed instead, or it has ended meanwhile. */
  readonly parts: FlowParts | null;
}

/** The connections of a pod's listeners behind `after`. Those that open or end meanwhile may be missing. */
export function* listFlows(
  pod: { readonly number: number; readonly name: string },
  listeners: readonly Connections[],
  after: FlowPosition | null,
): Generator<OpenFlow, void, undefined> {
  for (const [component, connections] of listeners.entries()) {
    for (const connection of connections.present()) {
      const position = { pod: pod.number, component, registration: connection.registration };
      if (after !== null && !isBehind(position, after)) continue;
      yield { position, pod: pod.name, parts: connections.has(connection) ? connection.flow : null };
    }
  }
}

function isBehind(position: FlowPosition, after: FlowPosition): boolean {
  if (position.pod !== after.pod) return position.pod > after.pod;
  if (position.component !== after.component) return position.component > after.component;
  return position.registration > after.registration;
}
