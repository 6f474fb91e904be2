/** Lists of connections and followers of flows of one isolate (`flow_messages.ts`). */
import type { DecisionRow } from "../mesh/explain/decision.ts";
import type { Millis } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";
import type { DryRunCount } from "../proxy/dry_run_counts.ts";
import type { FlowPosition, OpenFlow } from "../proxy/flow_list.ts";
import { flowOf } from "../telemetry/flow.ts";
import { type FlowFilter, matchesFilter } from "../telemetry/flow_filter.ts";
import type { FlowLog } from "../telemetry/flow_log.ts";
import type { TrafficSeries } from "../telemetry/traffic_metrics.ts";
import { trafficPairs } from "../telemetry/traffic_pairs.ts";
import { FlowFollower } from "./flow_follower.ts";
import type { FlowAnswer, FlowList, FlowRequest, FlowSlice } from "./flow_messages.ts";
import type { PolicyRow } from "./policy_rows.ts";

/** A slice ends with the row that reaches one of these. */
const SLICE_ROWS = 1024;
const SLICE_MILLIS: Millis = 3;

/** What the sessions read. */
interface FlowSources {
  readonly log: FlowLog;
  readonly dryRuns: { rows(): readonly DryRunCount[] };
  /** The series of the traffic metrics. */
  series(): Iterable<TrafficSeries>;
  policies(search: string, most: number): Iterable<PolicyRow | null>;
  /** `id`: only this decision. Null: a pause. */
  decisions(id: string | null): Iterable<DecisionRow | null>;
  /** The open connections behind a position, in the order of positions. */
  open(after: FlowPosition | null): Iterable<OpenFlow>;
}

/** One flow as JSON. */
interface FlowRow {
  readonly text: string;
  readonly position: FlowPosition | null;
}

/** Null: a flow that does not meet the filter. */
type Rows = Iterator<FlowRow | null, void, undefined>;

/** Answers the requests of main. */
export class FlowSessions {
  readonly #sources: FlowSources;
  readonly #scheduler: Pick<Scheduler, "after">;
  readonly #send: (answer: FlowAnswer) => void;
  readonly #now: () => Millis;
  /** By the number that main has chosen. Main bounds both. */
  readonly #lists = new Map<number, Rows>();
  readonly #followers = new Map<number, { readonly follower: FlowFollower; readonly stop: () => void }>();

  /** `now`: ms since a fixed moment, also within a turn. */
  constructor(
    sources: FlowSources,
    scheduler: Pick<Scheduler, "after">,
    send: (answer: FlowAnswer) => void,
    now: () => Millis,
  ) {
    this.#sources = sources;
    this.#scheduler = scheduler;
    this.#send = send;
    this.#now = now;
  }

  receive(request: FlowRequest): void {
    switch (request.kind) {
      case "list-begin":
        this.#lists.set(request.list, this.#rows(request.of));
        return;
      case "list-more":
        return this.#send({ kind: "list-slice", list: request.list, slice: this.#slice(request.list) });
      case "list-end":
        this.#lists.delete(request.list);
        return;
      case "follow":
        return this.#follow(request.follower, request.filter);
      case "batch-taken":
        return this.#followers.get(request.follower)?.follower.taken();
      case "unfollow":
        return this.#unfollow(request.follower);
      default:
        request satisfies never;
    }
  }

  /** Sends the events that wait, as the isolate ends. */
  flush(): void {
    for (const { follower } of this.#followers.values()) follower.flush();
  }

  #slice(list: number): FlowSlice {
    let text = "", rows = 0, last: FlowPosition | null = null;
    const left = this.#lists.get(list);
    const end = this.#now() + SLICE_MILLIS;
    do {
      const next = left?.next();
      if (next === undefined || next.done) return { text, rows, last, ended: true };
      const row = next.value;
      if (row === null) continue;
      text += rows === 0 ? row.text : `\n${row.text}`;
      last = row.position;
      rows++;
    } while (rows < SLICE_ROWS && this.#now() < end);
    return { text, rows, last, ended: false };
  }

  #rows(list: FlowList): Rows {
    switch (list.what) {
      case "open":
        return openRows(this.#sources.open(list.after), list.filter, list.most ?? Infinity);
      case "ended":
        return rowsOf(this.#sources.log.last(list.filter, list.most));
      case "dry-runs":
        return jsonRows(this.#sources.dryRuns.rows());
      case "pairs":
        return jsonRows(trafficPairs(this.#sources.series()));
      case "policies":
        return jsonRows(this.#sources.policies(list.search, list.most));
      case "decisions":
        return jsonRows(this.#sources.decisions(list.id));
      default:
        return list satisfies never;
    }
  }

  #follow(number: number, filter: FlowFilter): void {
    const follower = new FlowFollower(this.#scheduler, (events, lost) => {
      this.#send({ kind: "flow-batch", follower: number, events, lost });
    });
    const stop = this.#sources.log.follow(filter, (line) => follower.add(line));
    this.#followers.set(number, { follower, stop });
  }

  #unfollow(number: number): void {
    const found = this.#followers.get(number);
    this.#followers.delete(number);
    found?.stop();
    found?.follower.close();
  }
}

function* openRows(
  flows: Iterable<OpenFlow>,
  filter: FlowFilter,
  most: number,
): Generator<FlowRow | null, void, undefined> {
  let left = most;
  for (const { position, pod, parts } of flows) {
    const flow = parts === null ? null : flowOf(parts);
    if (flow === null || !matchesFilter(filter, flow)) {
      yield null;
      continue;
    }
    yield { text: JSON.stringify({ pod, ...flow }), position };
    if (--left === 0) return;
  }
}

function* jsonRows(values: Iterable<object | null>): Generator<FlowRow | null, void, undefined> {
  for (const value of values) yield value === null ? null : { text: JSON.stringify(value), position: null };
}

function* rowsOf(lines: Iterable<string | null>): Generator<FlowRow | null, void, undefined> {
  for (const text of lines) yield text === null ? null : { text, position: null };
}
