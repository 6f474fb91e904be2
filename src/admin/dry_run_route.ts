/** `/dry-run`: what policies in dry run would have decided (`docs/flows.md`). */
import type { DryRunCount } from "../proxy/dry_run_counts.ts";
import type { HttpHandler } from "./http_connection.ts";
import type { FlowSource } from "./observe_route.ts";

/** Connections that are shown. */
const LAST = 100;

/** `counts`: the sums over all workers. */
export function dryRunRoute(
  counts: () => Promise<readonly DryRunCount[]>,
  flows: Pick<FlowSource, "last">,
): HttpHandler {
  return async () => {
    const rows = [...await counts()].sort((a, b) => b.count - a.count).map((row) => JSON.stringify(row));
    const last = await flows.last({ dryRun: true }, LAST);
    const body = `{"counts": [\n${rows.join(",\n")}\n], "last": [\n${last.join(",\n")}\n]}\n`;
    return { status: 200, headers: [["content-type", "application/json"]], body };
  };
}
