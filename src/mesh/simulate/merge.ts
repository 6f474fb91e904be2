/** Joins the answers of several isolates, each of which has evaluated its own connections. */
import { Changes } from "./change_list.ts";
import type { ChangeList, ListName, SimulationResult } from "./result.ts";

/** One answer of several. The first has the pairs. */
export function mergeResults(results: readonly [SimulationResult, ...SimulationResult[]]): SimulationResult {
  const [first] = results;
  return {
    ...first,
    assumptions: [...new Set(results.flatMap(({ assumptions }) => assumptions))],
    connections: listOf(results, "connections"),
    flows: listOf(results, "flows"),
    pairs: listOf(results, "pairs"),
  };
}

function listOf(results: readonly SimulationResult[], name: ListName): ChangeList | null {
  const lists = results.map((result) => result[name]).filter((list) => list !== null);
  if (lists.length <= 1) return lists[0] ?? null;
  const all = new Changes();
  for (const list of lists) all.addAll(list);
  return all.list;
}
