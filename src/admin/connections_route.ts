/**
 * `/connections`: the open connections of all pods, a page at a time or all of them (`docs/flows.md`).
 *
 *     {"connections": [{"pod": …, …}, …], "next": null}
 *
 * `cut=true` lists those that have been open for longer than a drain waits, so that the stop of this proxy would probably
 * cut them. `limit=N` ends the page after N connections; `after=` with the value of `next` continues behind it. The other
 * parameters are those of {@link FlowFilter}. The document is made while it is sent, so its size costs no memory, and no
 * turn of an event loop is long.
 */
import type { Millis } from "../net/clock.ts";
import { type FlowFilter, parseFlowFilter } from "../telemetry/flow_filter.ts";
import type { AnyResponse, HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";
import { streamed } from "./streamed.ts";

/** Some open connections; one at least. */
export interface ConnectionPage {
  /** Each as JSON, with commas between them; UTF-8. */
  readonly rows: readonly Uint8Array[];
  /** As many as asked for have been listed: this is the end. */
  readonly isFull: boolean;
  /** The place of the last one among all connections, for {@link ListConnections}. */
  readonly cursor: string;
}

/** Lists connections, `most` of those behind the place `after`. Null: `after` is no cursor. */
export type ListConnections = (
  filter: FlowFilter,
  after: string | null,
  most: number | null,
) => AsyncGenerator<ConnectionPage, void, undefined> | null;

/** Lists at a time. */
const LISTS_MAX = 4;
const LIMIT_MAX = 1_000_000;

/** The handler of the route. `drainDeadline`: how long a drain waits for connections before it cuts them. */
export function connectionsRoute(list: ListConnections, drainDeadline: Millis): HttpHandler {
  let running = 0;
  return ({ query }): AnyResponse => {
    const parameters = new URLSearchParams(query);
    const filter = parseFlowFilter(parameters);
    if (typeof filter === "string") return plainText(400, `${filter}\n`);
    const cut = parameters.getAll("cut").at(-1) || "false";
    if (cut !== "true" && cut !== "false") return plainText(400, "invalid value of cut: true or false\n");
    const olderThan = cut === "true" ? Math.max(filter.olderThan ?? 0, drainDeadline) : null;
    const limit = parseLimit(parameters.getAll("limit").at(-1) ?? "");
    if (Number.isNaN(limit)) return plainText(400, `invalid value of limit: a number from 1 to ${LIMIT_MAX}\n`);
    if (running >= LISTS_MAX) {
      return plainText(503, `${running} lists of connections are being sent already, try again when one has ended\n`);
    }
    const wanted = olderThan === null ? filter : { ...filter, olderThan };
    const pages = list(wanted, parameters.getAll("after").at(-1) || null, limit);
    if (pages === null) return plainText(400, "invalid value of after: the text of `next` in an earlier answer\n");
    running++;
    return streamed([["content-type", "application/json"]], documentOf(pages), () => running--);
  };
}

/** Null: none. NaN: invalid. */
function parseLimit(text: string): number | null {
  if (text === "") return null;
  const limit = /^[0-9]{1,7}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= LIMIT_MAX ? limit : NaN;
}

async function* documentOf(
  pages: AsyncGenerator<ConnectionPage, void, undefined>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let before = '{"connections": [\n', next: string | null = null;
  for await (const { rows, isFull, cursor } of pages) {
    yield encoder.encode(before);
    yield* rows;
    before = ",\n";
    if (isFull) next = cursor;
  }
  yield encoder.encode(`${before === ",\n" ? "" : before}\n], "next": ${JSON.stringify(next)}}\n`);
}

const encoder = new TextEncoder();
