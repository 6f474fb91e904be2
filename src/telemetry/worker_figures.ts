/** What the data plane of one worker has done so far and holds now: a few numbers, for the samples of the dashboard. */
import type { Millis } from "../net/clock.ts";
import type { FlowLog } from "./flow_log.ts";
import type { TrafficMetrics } from "./traffic_metrics.ts";

/** Counters since the start, except where a comment says that it is the value at this moment. */
export interface WorkerFigures {
  readonly openedInbound: number;
  readonly openedOutbound: number;
  /** Open at this moment. */
  readonly openInbound: number;
  readonly openOutbound: number;
  /** Refused by a policy. */
  readonly denied: number;
  /** Failed for another reason. */
  readonly failed: number;
  /** Ended before a route was known. */
  readonly refused: number;
  readonly handshakes: number;
  readonly handshakesFailed: number;
  /** Wait for their turn at this moment. */
  readonly handshakesWaiting: number;
  readonly bytesToServers: number;
  readonly bytesToClients: number;
  /** Received bytes that applications have not read at this moment. */
  readonly held: number;
  /** Turns of the event loop, and their time in ms. */
  readonly turns: number;
  readonly busy: Millis;
  /** The longest turn since these figures were last read, ms. */
  readonly longest: Millis;
  /** Memory in use in the heap of the worker's isolate at this moment, bytes. */
  readonly heap: number;
}

/** Where the figures come from. */
export interface FigureSources {
  readonly traffic: TrafficMetrics;
  readonly flows: Pick<FlowLog, "refused">;
  readonly load: { readonly turns: number; readonly busy: Millis; takeLongestSampled(): Millis };
  readonly handshakes: { readonly size: number; readonly completed: number; readonly failed: number };
  readonly held: { readonly total: number };
  readonly heap: number;
}

/** Reads the figures. Takes about 20 ns for each series of the traffic metrics. */
export function readFigures({ traffic, flows, load, handshakes, held, heap }: FigureSources): WorkerFigures {
  const { inbound, outbound } = traffic.totals();
  return {
    openedInbound: inbound.opened,
    openedOutbound: outbound.opened,
    openInbound: inbound.opened - inbound.closed,
    openOutbound: outbound.opened - outbound.closed,
    denied: inbound.denied + outbound.denied,
    failed: inbound.failed + outbound.failed,
    refused: flows.refused,
    handshakes: handshakes.completed,
    handshakesFailed: handshakes.failed,
    handshakesWaiting: handshakes.size,
    bytesToServers: inbound.received + outbound.received,
    bytesToClients: inbound.sent + outbound.sent,
    held: held.total,
    turns: load.turns,
    busy: load.busy,
    longest: load.takeLongestSampled(),
    heap,
  };
}

/** The figures of all workers together: sums, and the longest of their longest turns. */
export function sumFigures(figures: readonly WorkerFigures[]): WorkerFigures {
  const sum = { ...NOTHING };
  for (const one of figures) {
    for (const name of NAMES) sum[name] = name === "longest" ? Math.max(sum[name], one[name]) : sum[name] + one[name];
  }
  return sum;
}

type Name = keyof WorkerFigures;

const NOTHING: Record<Name, number> = {
  openedInbound: 0,
  openedOutbound: 0,
  openInbound: 0,
  openOutbound: 0,
  denied: 0,
  failed: 0,
  refused: 0,
  handshakes: 0,
  handshakesFailed: 0,
  handshakesWaiting: 0,
  bytesToServers: 0,
  bytesToClients: 0,
  held: 0,
  turns: 0,
  busy: 0,
  longest: 0,
  heap: 0,
};
const NAMES = Object.keys(NOTHING) as readonly Name[];
