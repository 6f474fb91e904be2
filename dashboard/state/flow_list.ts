/** The list of flows on the page: bounded, and still while it is paused. */
import type { FlowEvent } from "./wire.ts";

/** A row. `key`: unique in the list. */
export interface FlowRow {
  readonly key: number;
  readonly flow: FlowEvent;
}

/** The list, newest first. */
interface FlowList {
  readonly rows: readonly FlowRow[];
  /** What has arrived while the list was paused, newest first. */
  readonly waiting: readonly FlowRow[];
  readonly isPaused: boolean;
  /** Events that this page has not received since it is open: it or the network was too slow. */
  readonly lost: number;
  readonly nextKey: number;
}

/** What can happen to the list. `events`: oldest first. */
type FlowAction =
  | { readonly kind: "events"; readonly events: readonly FlowEvent[] }
  /** A stream has begun, perhaps not the first one: the last endings, and what has happened since. */
  | { readonly kind: "begun"; readonly events: readonly FlowEvent[] }
  /** In place of all rows: the last endings, as they are now. */
  | { readonly kind: "replaced"; readonly events: readonly FlowEvent[] }
  | { readonly kind: "lost"; readonly count: number }
  | { readonly kind: "paused" }
  | { readonly kind: "resumed" };

/** Rows that are kept. */
export const ROWS_MAX = 2000;

/** An empty list. */
export const NO_FLOWS: FlowList = { rows: [], waiting: [], isPaused: false, lost: 0, nextKey: 0 };

/** The list after an action. */
export function reduceFlows(list: FlowList, action: FlowAction): FlowList {
  switch (action.kind) {
    case "events": {
      const { rows, nextKey } = rowsOf(list, action.events);
      return list.isPaused
        ? { ...list, waiting: merged(list.waiting, rows), nextKey }
        : { ...list, rows: merged(list.rows, rows), nextKey };
    }
    case "begun": {
      if (!list.isPaused) return reduceFlows(list, { ...action, kind: "replaced" });
      const shown = new Set(list.rows.filter(({ flow }) => flow.event !== "opened").map(({ flow }) => idOf(flow)));
      const { rows, nextKey } = rowsOf(list, action.events);
      return { ...list, waiting: merged([], rows.filter(({ flow }) => !shown.has(idOf(flow)))), nextKey };
    }
    case "replaced": {
      if (list.isPaused) return list;
      // Rows keep their keys, so that an opened row stays open.
      const known = new Map(list.rows.map((row) => [idOf(row.flow), row]));
      const { rows, nextKey } = rowsOf(list, action.events);
      const kept = merged([], rows).map((row) => {
        const old = known.get(idOf(row.flow));
        return old === undefined ? row : { ...row, key: old.key };
      });
      return { ...list, rows: kept, nextKey };
    }
    case "lost":
      return { ...list, lost: list.lost + action.count };
    case "paused":
      return { ...list, isPaused: true };
    case "resumed":
      return { ...list, isPaused: false, rows: merged(list.rows, list.waiting), waiting: [] };
    default:
      return action satisfies never;
  }
}

function rowsOf({ nextKey }: FlowList, events: readonly FlowEvent[]) {
  const recent = events.slice(-ROWS_MAX);
  const rows = recent.map((flow, i) => ({ key: nextKey + i, flow })).reverse();
  return { rows, nextKey: nextKey + recent.length };
}

/** The ending of a connection takes the place of its opening. */
function merged(old: readonly FlowRow[], fresh: readonly FlowRow[]): readonly FlowRow[] {
  const over = new Set(fresh.filter(({ flow }) => flow.event !== "opened").map(({ flow }) => idOf(flow)));
  const stays = ({ flow }: FlowRow) => flow.event !== "opened" || !over.has(idOf(flow));
  return [...fresh.filter(stays), ...old.filter(stays)].slice(0, ROWS_MAX);
}

/** Both ends of a connection inside the node have its id, and each attempt is a flow. */
function idOf({ id, direction, attempt }: FlowEvent): string {
  return `${id} ${direction} ${attempt}`;
}
