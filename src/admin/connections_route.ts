/**
 * `/connections`: the open connections of all pods, a page at a time or all of them (`docs/flows.md`).
 *
 *     {"connections": [{"pod": …, …}, …], "next": null}
 *
 * `limit=N` ends the page after N connections; `after=` with the value of `next` continues behind it. The other
 * parameters are those of {@link FlowFilter}. The document is made while it is sent, so its size costs no memory, and no
 * turn of an event loop is long.
 */
import { type FlowFilter, parseFlowFilter } from "../telemetry/flow_filter.ts";
import type { AnyResponse, HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";
import { streamed } from "./streamed.ts";

/** One open connection. */
export interface ConnectionRow {
  /** JSON. */
  readonly text: string;
  /** Its place among all connections, for {@link ListConnections}. */
  readonly cursor: string;
}

/** Lists connections, those behind the one with the cursor `after`. Null: `after` is no cursor. */
export type ListConnections = (
  filter: FlowFilter,
  after: string | null,
) => AsyncGenerator<readonly ConnectionRow[], void, undefined> | null;

/** Lists at a time. */
const LISTS_MAX = 4;
const LIMIT_MAX = 1_000_000;

/** The handler of the route. */
export function connectionsRoute(list: ListConnections): HttpHandler {
  let running = 0;
  return ({ query }): AnyResponse => {
    const parameters = new URLSearchParams(query);
    const filter = parseFlowFilter(parameters);
    if (typeof filter === "string") return plainText(400, `${filter}\n`);
    const limit = parseLimit(parameters.getAll("limit").at(-1) ?? "");
    if (limit === null) return plainText(400, `invalid value of limit: a number from 1 to ${LIMIT_MAX}\n`);
    if (running >= LISTS_MAX) {
      return plainText(503, `${running} lists of connections are being sent already, try again when one has ended\n`);
    }
    const rows = list(filter, parameters.getAll("after").at(-1) || null);
    if (rows === null) return plainText(400, "invalid value of after: the text of `next` in an earlier answer\n");
    running++;
    return streamed([["content-type", "application/json"]], documentOf(rows, limit), () => running--);
  };
}

function parseLimit(text: string): number | null {
  if (text === "") return Infinity;
  const limit = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= LIMIT_MAX ? limit : null;
}

async function* documentOf(
  slices: AsyncGenerator<readonly ConnectionRow[], void, undefined>,
  limit: number,
): AsyncGenerator<string, void, undefined> {
  let left = limit, before = '{"connections": [\n', next: string | null = null;
  for await (const rows of slices) {
    const page = rows.slice(0, left);
    if (page.length > 0) {
      yield before + page.map(({ text }) => text).join(",\n");
      before = ",\n";
      left -= page.length;
    }
    if (left > 0) continue;
    next = page.at(-1)!.cursor;
    break;
  }
  yield `${before === ",\n" ? "" : before}\n], "next": ${JSON.stringify(next)}}\n`;
}
