/** Connections of all workers as one list, and their events as one stream. */
import type { ConnectionPage, ListConnections } from "../admin/connections_route.ts";
import type { FlowSource } from "../admin/observe_route.ts";
import type { Workers } from "../control/workers/workers.ts";
import { type DecisionRow, sumDecisions } from "../mesh/explain/decision.ts";
import type { DryRunCount } from "../proxy/dry_run_counts.ts";
import type { FlowPosition } from "../proxy/flow_list.ts";
import type { FlowFilter } from "../telemetry/flow_filter.ts";

/** Lists the connections of one worker after the other. */
export function connectionLister(workers: Workers): ListConnections {
  return (filter, after, most) => {
    const from = after === null ? { worker: 0, position: null } : parseCursor(after);
    return from === null ? null : listFrom(workers, filter, from, most);
  };
}

/** A place in the list. `position`: null: before the first connection of the worker. */
interface Place {
  readonly worker: number;
  readonly position: FlowPosition | null;
}

async function* listFrom(
  workers: Workers,
  filter: FlowFilter,
  from: Place,
  most: number | null,
): AsyncGenerator<ConnectionPage, void, undefined> {
  let left = most;
  for (const [index, { flows }] of workers.all.entries()) {
    if (index < from.worker) continue;
    const after = index === from.worker ? from.position : null;
    for await (const { chunks, rows, last } of flows.list({ what: "open", filter, after, most: left })) {
      if (rows === 0) continue;
      if (left !== null) left -= rows;
      yield { rows: chunks, isFull: left === 0, cursor: formatCursor(index, last!) };
    }
    if (left === 0) return;
  }
}

function formatCursor(worker: number, { pod, component, registration }: FlowPosition): string {
  return [worker, pod, component, registration].join("-");
}

function parseCursor(text: string): Place | null {
  if (!/^[0-9]{1,4}(-[0-9]{1,10}){3}$/.test(text)) return null;
  const [worker = 0, pod = 0, component = 0, registration = 0] = text.split("-").map(Number);
  return { worker, position: { pod, component, registration } };
}

/** What policies in dry run would have decided, summed over all workers. */
export async function dryRunCounts(workers: Workers): Promise<readonly DryRunCount[]> {
  const sums = new Map<string, DryRunCount>();
  for (const { flows } of workers.all) {
    for await (const line of flows.lines({ what: "dry-runs" })) {
      const row = JSON.parse(line) as DryRunCount;
      const key = JSON.stringify([row.policy, row.result, row.caller]);
      const sum = sums.get(key);
      if (sum === undefined) sums.set(key, row);
      else sum.count += row.count;
    }
  }
  return [...sums.values()];
}

/** The decisions of all workers, the most frequent first; with `id`, the one that has it. */
export async function decisionsOf(workers: Workers, id: string | null): Promise<readonly DecisionRow[]> {
  const rows: DecisionRow[] = [];
  for (const { flows } of workers.all) {
    for await (const line of flows.lines({ what: "decisions", id })) rows.push(JSON.parse(line));
  }
  return sumDecisions(rows);
}

/** The events of all workers. */
export function flowSource(workers: Workers): FlowSource {
  return {
    async last(filter, most) {
      const lists = await Promise.all(
        workers.all.map(({ flows }) => Array.fromAsync(flows.lines({ what: "ended", filter, most }))),
      );
      // Each list has the newest first; all lines begin with the event and its time.
      return lists.flat().sort((a, b) => timeOf(a) < timeOf(b) ? -1 : 1).slice(-most);
    },
    follow(filter, onEvents) {
      const stops = workers.all.map(({ flows }) => flows.follow(filter, onEvents));
      return () => {
        for (const stop of stops) stop();
      };
    },
  };
}

function timeOf(line: string): string {
  return /"time":"([^"]*)"/.exec(line)?.[1] ?? "";
}
