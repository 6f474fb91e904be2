/** Layers of a directed graph: callers before what they call. The result depends on the graph only, not on its order. */

/** The neighbours of each node, sorted. */
export type Neighbours = ReadonlyMap<string, readonly string[]>;

/** Neighbours by pairs of ids; each node of `nodes` is in the result. */
export function neighbours(nodes: readonly string[], pairs: Iterable<readonly [string, string]>): Neighbours {
  const found = new Map<string, Set<string>>(nodes.map((id) => [id, new Set()]));
  for (const [one, other] of pairs) found.get(one)!.add(other);
  return new Map([...found].map(([id, set]) => [id, [...set].sort()]));
}

/**
 * The layer of a node is the longest way to it from a node without callers. Edges that would close a circle are not
 * counted. More than `most` layers are joined. `nodes`: sorted.
 */
export function layersOf(nodes: readonly string[], targets: Neighbours, most: number): string[][] {
  const forward = withoutCircles(nodes, targets);
  const layer = new Map<string, number>();
  // In this order each node comes behind its callers.
  for (const id of forward.order) {
    const at = layer.get(id) ?? 0;
    layer.set(id, at);
    for (const target of forward.targets.get(id)!) layer.set(target, Math.max(layer.get(target) ?? 0, at + 1));
  }
  const count = 1 + Math.max(0, ...layer.values());
  const layers: string[][] = [];
  for (const id of nodes) {
    const at = layer.get(id)!;
    (layers[count <= most ? at : Math.floor(at * most / count)] ??= []).push(id);
  }
  return layers.filter((one) => one !== undefined);
}

/** Depth first, from nodes that nobody calls: edges that lead back to a node on the way are left out. */
function withoutCircles(nodes: readonly string[], targets: Neighbours) {
  const called = new Set([...targets.values()].flat());
  const state = new Map<string, "on the way" | "done">();
  const kept = new Map<string, string[]>(nodes.map((id) => [id, []]));
  const order: string[] = [];
  for (const root of [...nodes.filter((id) => !called.has(id)), ...nodes]) {
    if (state.has(root)) continue;
    const way = [{ id: root, next: 0 }];
    state.set(root, "on the way");
    while (way.length > 0) {
      const top = way.at(-1)!, target = targets.get(top.id)![top.next++];
      if (target === undefined) {
        state.set(top.id, "done");
        order.push(top.id);
        way.pop();
      } else if (state.get(target) !== "on the way") {
        kept.get(top.id)!.push(target);
        if (!state.has(target)) {
          state.set(target, "on the way");
          way.push({ id: target, next: 0 });
        }
      }
    }
  }
  return { order: order.reverse(), targets: kept };
}
