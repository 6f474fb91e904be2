import { strict as assert } from "node:assert";
import { mergeResults } from "./merge.ts";
import type { Change, ChangeList, SimulationResult } from "./result.ts";

function change(client: string, count: number): Change {
  const finding = { allow: true, text: "x", policy: null, id: "x", details: [] };
  return {
    change: "refused",
    source: { identity: client, workload: null, address: null, workloads: 1 },
    destinations: [{ namespace: "app", workload: "web", workloads: 1, ports: [80] }],
    moreDestinations: 0,
    otherPorts: false,
    count,
    ids: Array.from({ length: Math.min(3, count) }, (_, i) => `${client}${i}`),
    before: finding,
    after: finding,
  };
}

function result(connections: Partial<ChangeList>): SimulationResult {
  const list = { evaluated: 0, skipped: 0, refused: 0, allowed: 0, changes: [], more: 0, ...connections };
  return { applied: [], assumptions: ["same"], connections: list, flows: null, pairs: null, enumerated: null };
}

Deno.test("simulate: answers of several workers are added, and equal changes are one", () => {
  const merged = mergeResults([
    result({ evaluated: 5, refused: 3, changes: [change("a", 2), change("b", 1)] }),
    result({ evaluated: 7, refused: 9, changes: [change("a", 4)], more: 2 }),
  ]);
  assert.deepEqual(merged.assumptions, ["same"]);
  const { evaluated, refused, more, changes } = merged.connections!;
  assert.deepEqual([evaluated, refused, more], [12, 12, 2]);
  assert.deepEqual(changes.map(({ source, count, ids }) => [source.identity, count, ids.length]), [
    ["a", 6, 3],
    ["b", 1, 1],
  ]);
});
