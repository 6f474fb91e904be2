/** `/pods`: the pods that this proxy serves, with what the last audit found (`docs/dashboard.md`). */
import type { HttpHandler } from "./http_connection.ts";
import { jsonResponse } from "./json_response.ts";

/** A pod. */
export interface PodRow {
  /** Null: the one workload of dedicated mode. */
  readonly uid: string | null;
  readonly namespace: string;
  readonly name: string;
  readonly serviceAccount: string;
  readonly state: "Up" | "Pending";
  /** What the last audit found. */
  readonly differences: readonly string[];
}

/** The pods of the node. */
export interface PodsOverview {
  readonly pods: readonly PodRow[];
  /** The ports on which each pod is served. */
  readonly listeners: readonly { readonly name: string; readonly port: number }[];
  /** Differences that belong to no pod of the list. */
  readonly differences: readonly string[];
}

/** Pods of a response; a node has about 250. */
const PODS_MAX = 1000;

/** The handler of the route. Pods with differences come first, then those that are not up. */
export function podsRoute(overview: () => PodsOverview): HttpHandler {
  return () => {
    const { pods, listeners, differences } = overview();
    const rank = (pod: PodRow) => pod.differences.length > 0 ? 0 : pod.state === "Pending" ? 1 : 2;
    const sorted = [...pods].sort((a, b) => rank(a) - rank(b) || (nameOf(a) < nameOf(b) ? -1 : 1));
    const more = Math.max(0, sorted.length - PODS_MAX);
    return jsonResponse({
      pods: sorted.slice(0, PODS_MAX),
      more,
      listeners,
      differences: differences.slice(0, PODS_MAX),
    });
  };
}

function nameOf({ namespace, name }: PodRow): string {
  return `${namespace}/${name}`;
}
