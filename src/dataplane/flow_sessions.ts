/** Lists of connections and followers of flows of one isolate (`flow_messages.ts`). */
import type { DecisionRow } from "../mesh/explain/decision.ts";
import type { Millis } from "../net/clock.ts";
import type { Scheduler, TurnTask } from "../net/network.ts";
import type { DryRunCount } from "../proxy/dry_run_counts.ts";
import type { FlowPosition, OpenFlow } from "../proxy/flow_list.ts";
import { type FlowFilter, matchesFilter } from "../telemetry/flow_filter.ts";
import { FlowJson } from "../telemetry/flow_json.ts";
import type { FlowLog } from "../telemetry/flow_log.ts";
import type { PastEvent } from "../telemetry/flow_ring.ts";
import type { TrafficSeries } from "../telemetry/traffic_metrics.ts";
import { trafficPairs } from "../telemetry/traffic_pairs.ts";
import { FlowFollower } from "./flow_follower.ts";
import { type FlowAnswer, type FlowList, type FlowRequest, type FlowSlice, ROW_SEPARATOR } from "./flow_messages.ts";
import type { PolicyRow } from "./policy_rows.ts";
import { TextChunks } from "./text_chunks.ts";

const encoder = new TextEncoder();
const NOTHING = new Uint8Array(0), SEPARATOR = encoder.encode(ROW_SEPARATOR);

/** A slice ends with the row that reaches one of these. */
const SLICE_ROWS = 1024;
const SLICE_MILLIS: Millis = 2;

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

/** A row as JSON that is valid until the next one. */
interface FlowRow {
  readonly text: Uint8Array;
  readonly position: FlowPosition | null;
}

/** Null: a flow that does not meet the filter. */
type Rows = Iterator<FlowRow | null, void, undefined>;

/** `transfer`: buffers that belong to the receiver from then on. */
type SendAnswer = (answer: FlowAnswer, transfer: ArrayBuffer[]) => void;

/** Answers the requests of main: one slice in a turn, as the runtime may hand on several requests before the next one. */
export class FlowSessions implements TurnTask {
  readonly #sources: FlowSources;
  readonly #scheduler: Pick<Scheduler, "after" | "nextTurn">;
  readonly #send: SendAnswer;
  readonly #now: () => Millis;
  /** By the number that main has chosen. Main bounds both. */
  readonly #lists = new Map<number, Rows>();
  /** Lists of which a slice was requested. */
  readonly #wanted: number[] = [];
  readonly #followers = new Map<number, { readonly follower: FlowFollower; readonly stop: () => void }>();

  /** `now`: ms since a fixed moment, also within a turn. */
  constructor(
    sources: FlowSources,
    scheduler: Pick<Scheduler, "after" | "nextTurn">,
    send: SendAnswer,
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
        this.#wanted.push(request.list);
        return this.#scheduler.nextTurn(this);
      case "list-end":
        this.#lists.delete(request.list);
        return;
      case "follow":
        return this.#follow(request.follower, request.filter);
      case "batch-taken":
        return this.#followers.get(request.follower)?.follower.taken(request.buffers);
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

  runTurn(): void {
    const list = this.#wanted.shift();
    if (list === undefined) return;
    const slice = this.#slice(list);
    this.#send({ kind: "list-slice", list, slice }, buffersOf(slice.chunks));
    if (this.#wanted.length > 0) this.#scheduler.nextTurn(this);
  }

  #slice(list: number): FlowSlice {
    const text = new TextChunks();
    let rows = 0, last: FlowPosition | null = null;
    const left = this.#lists.get(list);
    const end = this.#now() + SLICE_MILLIS;
    do {
      const next = left?.next();
      if (next === undefined || next.done) return { chunks: text.take(), rows, last, ended: true };
      const row = next.value;
      if (row === null) continue;
      text.add(rows === 0 ? NOTHING : SEPARATOR, row.text, NOTHING);
      last = row.position;
      rows++;
    } while (rows < SLICE_ROWS && this.#now() < end);
    return { chunks: text.take(), rows, last, ended: false };
  }

  #rows(list: FlowList): Rows {
    switch (list.what) {
      case "open":
        return openRows(this.#sources.open(list.after), list.filter, list.most ?? Infinity);
      case "ended":
        return endedRows(this.#sources.log.last(list.filter, list.most));
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
      this.#send({ kind: "flow-batch", follower: number, events, lost }, buffersOf(events));
    });
    const stop = this.#sources.log.follow(filter, (event) => follower.add(event));
    this.#followers.set(number, { follower, stop });
  }

  #unfollow(number: number): void {
    const found = this.#followers.get(number);
    this.#followers.delete(number);
    found?.stop();
    found?.follower.close();
  }
}

function buffersOf(chunks: readonly Uint8Array<ArrayBuffer>[]): ArrayBuffer[] {
  return chunks.map(({ buffer }) => buffer);
}

function* openRows(
  flows: Iterable<OpenFlow>,
  filter: FlowFilter,
  most: number,
): Generator<FlowRow | null, void, undefined> {
  let left = most;
  const json = new FlowJson();
  for (const { position, pod, parts } of flows) {
    if (parts === null || !matchesFilter(filter, parts)) {
      yield null;
      continue;
    }
    yield { text: json.open(pod, parts), position };
    if (--left === 0) return;
  }
}

function* jsonRows(values: Iterable<object | null>): Generator<FlowRow | null, void, undefined> {
  for (const value of values) {
    yield value === null ? null : { text: encoder.encode(JSON.stringify(value)), position: null };
  }
}

function* endedRows(events: Iterable<PastEvent | null>): Generator<FlowRow | null, void, undefined> {
  const json = new FlowJson();
  for (const event of events) yield event === null ? null : { text: json.event(event), position: null };
}
