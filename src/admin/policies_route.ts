/**
 * `/policies`: the policies of the mesh with what they have decided on this node (`docs/dashboard.md`). `search=` keeps
 * those whose name contains the text.
 */
import type { PolicyRow } from "../dataplane/policy_rows.ts";
import type { HttpHandler } from "./http_connection.ts";
import { jsonResponse } from "./json_response.ts";
import { plainText } from "./response.ts";

/** Rows of one worker, those with decisions first; `search` in lower case. */
export type ListPolicies = (search: string, most: number) => Promise<readonly (readonly PolicyRow[])[]>;

/** Rows of a response. */
const ROWS_MAX = 500;
const SEARCH_MAX = 253;

/** The handler of the route. */
export function policiesRoute(list: ListPolicies): HttpHandler {
  return async ({ query }) => {
    const search = new URLSearchParams(query).getAll("search").at(-1) ?? "";
    if (search.length > SEARCH_MAX) return plainText(400, `search has more than ${SEARCH_MAX} characters\n`);
    // One more than is shown says whether there are more.
    const rows = mergeRows(await list(search.toLowerCase(), ROWS_MAX + 1));
    return jsonResponse({ policies: rows.slice(0, ROWS_MAX), isCut: rows.length > ROWS_MAX });
  };
}

/** The rows of all workers: the same policies, each with the sums of its decisions. Most decisions first. */
export function mergeRows(lists: readonly (readonly PolicyRow[])[]): PolicyRow[] {
  const rows = new Map<string | null, PolicyRow>();
  for (const row of lists.flat()) {
    const known = rows.get(row.policy);
    rows.set(
      row.policy,
      known === undefined ? row : { ...(known.action === null ? row : known), hits: add(known, row) },
    );
  }
  const counted = [...rows.values()].map((row) => ({ row, sum: row.hits.reduce((sum, { count }) => sum + count, 0) }));
  return counted.sort((a, b) => b.sum - a.sum).map(({ row }) => row);
}

function add(a: PolicyRow, b: PolicyRow): PolicyRow["hits"] {
  const sums = new Map<PolicyRow["hits"][number]["decision"], number>();
  for (const { decision, count } of [...a.hits, ...b.hits]) sums.set(decision, (sums.get(decision) ?? 0) + count);
  return [...sums].map(([decision, count]) => ({ decision, count }));
}
