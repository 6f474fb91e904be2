/**
 * Places a graph in columns from left to right: callers left of what they call. The same graph always has the same
 * picture, whatever the order of its parts, so that it does not jump at each update.
 *
 * 1. Layers (`layers.ts`); a full one takes several columns.
 * 2. An edge that passes columns gets a lane in each, so that it does not run behind their nodes.
 * 3. Order in a column: by the mean place of the neighbours (barycentre), some sweeps in both directions.
 */
import { layersOf, type Neighbours, neighbours } from "./layers.ts";

/** An edge by the ids of its nodes. */
interface LayoutEdge {
  readonly from: string;
  readonly to: string;
}

/** A node with its place; both px. */
interface PlacedNode {
  readonly x: number;
  readonly y: number;
}

/** The picture. */
export interface Layout {
  readonly nodes: ReadonlyMap<string, PlacedNode>;
  /** SVG paths of edges, by {@link edgeKey}. */
  readonly paths: ReadonlyMap<string, string>;
  readonly width: number;
  readonly height: number;
}

/** px. */
export const NODE_WIDTH = 148, NODE_HEIGHT = 40;
const GAP_X = 92, GAP_Y = 16, LANE = 14, MARGIN = 12;
const SWEEPS = 8, LAYERS_MAX = 7;
/** Nodes of a column. */
const COLUMN_MAX = 14;

/** The key of an edge. */
export function edgeKey(from: string, to: string): string {
  return `${from}\n${to}`;
}

/** Places nodes and edges. Edges to unknown nodes, and from a node to itself, are ignored. */
export function layoutOf(ids: readonly string[], all: readonly LayoutEdge[]): Layout {
  const nodes = [...ids].sort(), known = new Set(nodes);
  const edges = new Map<string, LayoutEdge>();
  for (const { from, to } of all) {
    if (from !== to && known.has(from) && known.has(to)) edges.set(edgeKey(from, to), { from, to });
  }
  const targets = neighbours(nodes, [...edges.values()].map(({ from, to }) => [from, to] as const));
  const columns = layersOf(nodes, targets, LAYERS_MAX).flatMap(inColumns);
  const routes = addLanes(columns, [...edges].sort(([a], [b]) => a < b ? -1 : 1));
  sweep(columns, routes);
  const { places, height } = place(columns, known);
  return {
    nodes: new Map(nodes.map((id) => [id, places.get(id)!])),
    paths: new Map([...routes].map(([key, route]) => [key, pathOf(route.map((id) => places.get(id)!))])),
    width: 2 * MARGIN + Math.max(1, columns.length) * (NODE_WIDTH + GAP_X) - GAP_X,
    height,
  };
}

function inColumns(layer: readonly string[]): string[][] {
  const count = Math.ceil(layer.length / COLUMN_MAX), size = Math.ceil(layer.length / count);
  return Array.from({ length: count }, (_, i) => layer.slice(i * size, (i + 1) * size));
}

/** Adds lanes to the columns. Returns what each edge passes, from node to node. */
function addLanes(columns: string[][], edges: readonly (readonly [string, LayoutEdge])[]): Map<string, string[]> {
  const columnOf = new Map(columns.flatMap((column, i) => column.map((id) => [id, i] as const)));
  return new Map(edges.map(([key, { from, to }]) => {
    const first = columnOf.get(from)!, last = columnOf.get(to)!, step = first < last ? 1 : -1;
    const route = [from];
    for (let i = first + step; first !== last && i !== last; i += step) {
      const lane = `${key}\n${i}`;
      columns[i]!.push(lane);
      route.push(lane);
    }
    return [key, [...route, to]];
  }));
}

function sweep(columns: readonly string[][], routes: ReadonlyMap<string, readonly string[]>): void {
  const columnOf = new Map(columns.flatMap((column, i) => column.map((id) => [id, i] as const)));
  const steps = [...routes.values()].flatMap((route) => route.slice(1).map((id, i) => [route[i]!, id] as const));
  const leftFirst = steps.map(([a, b]) => columnOf.get(a)! <= columnOf.get(b)! ? [a, b] as const : [b, a] as const);
  const items = columns.flat();
  const right = neighbours(items, leftFirst), left = neighbours(items, leftFirst.map(([a, b]) => [b, a] as const));
  const places = new Map<string, number>();
  for (const column of columns) number(column, places);
  for (let i = 0; i < SWEEPS; i++) {
    const isForward = i % 2 === 0;
    for (const column of isForward ? columns : [...columns].reverse()) {
      const mean = new Map(column.map((id) => [id, meanOf(id, isForward ? left : right, places)]));
      column.sort((a, b) => mean.get(a)! - mean.get(b)! || (a < b ? -1 : 1));
      number(column, places);
    }
  }
}

function number(column: readonly string[], places: Map<string, number>): void {
  for (const [at, id] of column.entries()) places.set(id, (at + 0.5) / column.length);
}

function meanOf(id: string, by: Neighbours, places: ReadonlyMap<string, number>): number {
  const around = by.get(id)!;
  if (around.length === 0) return places.get(id)!;
  return around.reduce((sum, one) => sum + places.get(one)!, 0) / around.length;
}

/** The top left corners of nodes, and of lanes the middle of their left end as if they were nodes. */
function place(columns: readonly (readonly string[])[], nodes: ReadonlySet<string>) {
  const heightOf = (id: string) => nodes.has(id) ? NODE_HEIGHT + GAP_Y : LANE;
  const heights = columns.map((column) => column.reduce((sum, id) => sum + heightOf(id), 0));
  const height = 2 * MARGIN + Math.max(NODE_HEIGHT + GAP_Y, ...heights);
  const places = new Map<string, PlacedNode>();
  for (const [i, column] of columns.entries()) {
    const x = MARGIN + i * (NODE_WIDTH + GAP_X);
    let y = (height - heights[i]!) / 2;
    for (const id of column) {
      places.set(id, { x, y: nodes.has(id) ? y + GAP_Y / 2 : y + (LANE - NODE_HEIGHT) / 2 });
      y += heightOf(id);
    }
  }
  return { places, height };
}

/** Curves between columns, and straight across those that are passed. */
function pathOf(route: readonly PlacedNode[]): string {
  const first = route[0]!, last = route.at(-1)!, middle = NODE_HEIGHT / 2;
  if (first.x === last.x) {
    const x = first.x + NODE_WIDTH, y1 = first.y + middle, y2 = last.y + middle;
    return `M${x} ${y1}C${x + 52} ${y1} ${x + 52} ${y2} ${x} ${y2}`;
  }
  const isBack = last.x < first.x;
  const exit = (at: PlacedNode) => at.x + (isBack ? 0 : NODE_WIDTH);
  const entry = (at: PlacedNode) => at.x + (isBack ? NODE_WIDTH : 0);
  let path = `M${exit(first)} ${first.y + middle}`;
  for (const [i, at] of route.slice(1).entries()) {
    const before = route[i]!, x1 = exit(before), x2 = entry(at), bend = (x2 - x1) / 2;
    const y1 = before.y + middle, y2 = at.y + middle;
    path += `C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    if (at !== last) path += `H${exit(at)}`;
  }
  return path;
}
