/** `/decisions`: how often each decision was made, and what it stands for (`docs/flows.md`). */
import type { DecisionRow } from "../mesh/explain/decision.ts";
import type { HttpHandler } from "./http_connection.ts";

/** The decisions of all workers, the most frequent first; with `id`, the one that has it. */
export type Decisions = (id: string | null) => Promise<readonly DecisionRow[]>;

/** The handler. */
export function decisionsRoute(decisions: Decisions): HttpHandler {
  return async () => {
    const rows = (await decisions(null)).map((row) => JSON.stringify(row));
    const body = `{"decisions": [\n${rows.join(",\n")}\n]}\n`;
    return { status: 200, headers: [["content-type", "application/json"]], body };
  };
}
