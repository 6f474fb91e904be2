/** The graph that the service map shows: nodes and edges, limited to what can be read. */
import type { MapEdge, ServiceMap } from "./wire.ts";

/** A workload, a namespace, or what is outside the mesh. */
export interface GraphNode {
  readonly id: string;
  /** The name, and the line above it. */
  readonly name: string;
  readonly group: string;
  readonly kind: "workload" | "namespace" | "outside";
}

/** Traffic from one node to another. */
export interface GraphEdge {
  readonly from: string;
  readonly to: string;
  readonly mutualTls: boolean;
  readonly services: readonly string[];
  readonly open: number;
  readonly opened: number;
  readonly denied: number;
  readonly failed: number;
  readonly bytes: number;
  /** Per second; null: not known yet. */
  readonly rate: number | null;
  /** Refused or failed per second; null: not known yet. */
  readonly errorRate: number | null;
}

/** What is shown. */
export interface Graph {
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  /** Edges that are left out: by this page, for the picture to be readable, and by the proxy. */
  readonly leftOut: number;
}

/** How the graph is made. */
export interface GraphOptions {
  readonly by: "workload" | "namespace";
  /** Part of a name; the node with it and what it talks to are kept. */
  readonly search: string;
  /** Edges of the picture. */
  readonly most: number;
}

/** Makes the graph; the busiest edges are kept. */
export function graphOf({ edges, leftOut }: ServiceMap, { by, search, most }: GraphOptions): Graph {
  const sums = new Map<string, GraphEdge>();
  const nodes = new Map<string, GraphNode>();
  for (const edge of edges) {
    const from = nodeOf(edge.source, "client", by), to = nodeOf(edge.destination, "server", by);
    if (search !== "" && ![from, to].some(({ id }) => id.toLowerCase().includes(search.toLowerCase()))) continue;
    nodes.set(from.id, from);
    nodes.set(to.id, to);
    const key = `${from.id}\n${to.id}\n${edge.mutualTls}`;
    sums.set(key, plus(sums.get(key), from.id, to.id, edge));
  }
  const all = [...sums.values()].sort(byTraffic);
  const shown = all.slice(0, most);
  const used = new Set(shown.flatMap(({ from, to }) => [from, to]));
  return {
    nodes: [...nodes.values()].filter(({ id }) => used.has(id)).sort((a, b) => a.id < b.id ? -1 : 1),
    edges: shown,
    leftOut: all.length - shown.length + leftOut.edges,
  };
}

/** Callers and destinations outside the mesh are two nodes, so that they make no circles. */
function nodeOf(name: string | null, side: "client" | "server", by: GraphOptions["by"]): GraphNode {
  if (name === null) {
    return {
      id: `outside:${side}`,
      name: side === "client" ? "callers" : "destinations",
      group: "outside the mesh",
      kind: "outside",
    };
  }
  const slash = name.indexOf("/"), namespace = name.slice(0, Math.max(0, slash));
  if (by === "namespace") return { id: namespace, name: namespace, group: "namespace", kind: "namespace" };
  return { id: name, name: name.slice(slash + 1), group: namespace, kind: "workload" };
}

function plus(sum: GraphEdge | undefined, from: string, to: string, edge: MapEdge): GraphEdge {
  const { mutualTls, services, rate } = edge;
  const errors = rate === null ? null : rate.denied + rate.failed;
  return {
    from,
    to,
    mutualTls,
    services: [...new Set([...sum?.services ?? [], ...services])].slice(0, 3),
    open: (sum?.open ?? 0) + edge.open,
    opened: (sum?.opened ?? 0) + edge.opened,
    denied: (sum?.denied ?? 0) + edge.denied,
    failed: (sum?.failed ?? 0) + edge.failed,
    bytes: (sum?.bytes ?? 0) + edge.bytesToDestination + edge.bytesToSource,
    rate: rate === null ? sum?.rate ?? null : (sum?.rate ?? 0) + rate.opened,
    errorRate: errors === null ? sum?.errorRate ?? null : (sum?.errorRate ?? 0) + errors,
  };
}

function byTraffic(a: GraphEdge, b: GraphEdge): number {
  return (b.rate ?? 0) - (a.rate ?? 0) || b.opened - a.opened || (a.from + a.to < b.from + b.to ? -1 : 1);
}

/** Whether connections of an edge are refused or fail: now, or so far where the rate is not known. */
export function isFailing({ errorRate, denied, failed }: GraphEdge): boolean {
  return errorRate === null ? denied + failed > 0 : errorRate > 0;
}
