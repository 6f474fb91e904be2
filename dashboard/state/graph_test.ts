import { strict as assert } from "node:assert";
import { graphOf, type GraphOptions, isFailing } from "./graph.ts";
import type { MapEdge, ServiceMap } from "./wire.ts";

function edge(source: string | null, destination: string | null, changes: Partial<MapEdge> = {}): MapEdge {
  return {
    source,
    destination,
    services: [],
    mutualTls: true,
    open: 1,
    opened: 10,
    denied: 0,
    failed: 0,
    bytesToDestination: 5,
    bytesToSource: 7,
    rate: null,
    ...changes,
  };
}

const map = (...edges: MapEdge[]): ServiceMap => ({ edges, leftOut: { edges: 0, opened: 0 }, span: null });
const options = (changes: Partial<GraphOptions> = {}): GraphOptions => ({
  by: "workload",
  search: "",
  most: 50,
  ...changes,
});
const pairs = (graph: ReturnType<typeof graphOf>) => graph.edges.map(({ from, to }) => `${from} > ${to}`);

Deno.test("graph: workloads are nodes, and what is outside the mesh is one on each side", () => {
  const graph = graphOf(map(edge("shop/web", "shop/cart"), edge(null, "shop/web"), edge("shop/web", null)), options());
  assert.deepEqual(graph.nodes.map(({ id, name, group }) => [id, name, group]), [
    ["outside:client", "callers", "outside the mesh"],
    ["outside:server", "destinations", "outside the mesh"],
    ["shop/cart", "cart", "shop"],
    ["shop/web", "web", "shop"],
  ]);
});

Deno.test("graph: by namespace, edges are added up, and rates that are known", () => {
  const rate = { opened: 2, denied: 1, failed: 0, bytes: 1 };
  const graph = graphOf(map(edge("a/x", "b/y", { rate }), edge("a/z", "b/y", { rate })), options({ by: "namespace" }));
  const [sum] = graph.edges;
  assert.deepEqual([pairs(graph), sum?.opened, sum?.bytes, sum?.rate, sum?.errorRate], [["a > b"], 20, 24, 4, 2]);
});

Deno.test("graph: the busiest edges, and how many are left out by page and proxy", () => {
  const edges = [1, 2, 3].map((i) => edge("a/x", `b/${i}`, { opened: i }));
  const graph = graphOf({ ...map(...edges), leftOut: { edges: 5, opened: 9 } }, options({ most: 2 }));
  assert.deepEqual([pairs(graph), graph.leftOut, graph.nodes.length], [["a/x > b/3", "a/x > b/2"], 6, 3]);
});

Deno.test("graph: a search keeps the node and its neighbours", () => {
  const graph = graphOf(
    map(edge("a/web", "b/db"), edge("c/x", "a/web"), edge("c/x", "c/y")),
    options({ search: "WEB" }),
  );
  assert.deepEqual(pairs(graph), ["a/web > b/db", "c/x > a/web"]);
});

Deno.test("graph: failing now, or so far where the rate is not known", () => {
  const rate = { opened: 2, denied: 0, failed: 0, bytes: 1 };
  const [now] = graphOf(map(edge("a/x", "b/y", { failed: 4, rate })), options()).edges;
  const [unknown] = graphOf(map(edge("a/x", "b/y", { failed: 4 })), options()).edges;
  assert.deepEqual([isFailing(now!), isFailing(unknown!)], [false, true]);
});
