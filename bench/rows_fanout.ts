/** An application that sends a little to each of its many peers, and one that uses its many streams at random. */
import { lost, observe } from "./crowd.ts";
import { eachFresh, type Metric, type Plan, type Row, type Sample } from "./row.ts";
import { ONE_STREAM_EACH } from "./rows_peers.ts";
import type { Group } from "./sender.ts";
import type { Subject } from "./subject.ts";

const MB = 1e6;
/** A connection of its own in the same pair, with 20 requests a second. */
const NEIGHBOUR: Group = { connections: 1, everyMillis: 50, pick: null };
const FANOUT = { peers: 1000, seconds: 15 } as const;
const SMALL_FANOUT = { peers: 200, seconds: 3 } as const;
/** 2,000 a second; many connections have data to send in the same turn. */
const TOUCHES = { everyMillis: 100, pick: 200 } as const;
const TOUCH = { streams: 10_000, seconds: 10 } as const;
const SMALL_TOUCH = { streams: 1000, seconds: 3 } as const;
/** Messages in one round. */
const ROUND = 10_000;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const fanout: Row = {
  id: "fanout",
  title: `64 bytes to each of ${FANOUT.peers} peers, five times a second`,
  metrics: [
    lower("cpu", "cores, both proxies", ""),
    lower("cpuClient", "  client-side proxy", ""),
    lower("cpuServer", "  server-side proxy", ""),
    lower("peakClient", "peak RSS, client side", "MB"),
    lower("peakServer", "peak RSS, server side", "MB"),
    lower("p50", "echo: p50", "us"),
    lower("p99", "  p99", "us"),
    lower("neighbour", "a neighbour's p99", "us"),
  ],
  once: false,
  quick: true,
  measure: eachFresh({ env: ONE_STREAM_EACH }, measureFanout),
};

async function measureFanout(subject: Subject, plan: Plan): Promise<Sample> {
  const { peers, seconds } = plan.small ? SMALL_FANOUT : FANOUT;
  const all: Group = { connections: peers, everyMillis: 200, pick: null };
  const { results, cpu, peak, seconds: took } = await observe(subject, [all, NEIGHBOUR], seconds);
  const [echo, neighbour] = results;
  return {
    ...sides("cpu", cpu.map((used) => used / took)),
    ...sides("peak", peak.map((bytes) => bytes / MB)),
    cpu: sum(cpu) / took,
    p50: echo?.p50 ?? NaN,
    p99: echo?.p99 ?? NaN,
    neighbour: neighbour?.p99 ?? NaN,
    errors: lost(results),
  };
}

const touch: Row = {
  id: "touch",
  title: `64 bytes on streams chosen at random out of ${TOUCH.streams}, 2,000 a second`,
  metrics: [
    lower("cpu", `CPU for ${ROUND}, both proxies`, "s"),
    lower("cpuClient", "  client-side proxy", "s"),
    lower("cpuServer", "  server-side proxy", "s"),
    lower("rssClient", "RSS, client side", "MB"),
    lower("rssServer", "RSS, server side", "MB"),
    lower("p50", "p50", "us"),
    lower("p99", "p99", "us"),
  ],
  once: false,
  quick: true,
  measure: eachFresh({}, measureTouch),
};

async function measureTouch(subject: Subject, plan: Plan): Promise<Sample> {
  const { streams, seconds } = plan.small ? SMALL_TOUCH : TOUCH;
  const { results, cpu, memory } = await observe(subject, [{ connections: streams, ...TOUCHES }], seconds);
  const [echo] = results;
  const rounds = (echo?.answered ?? NaN) / ROUND;
  return {
    ...sides("cpu", cpu.map((used) => used / rounds)),
    ...sides("rss", memory.map((bytes) => bytes / MB)),
    cpu: sum(cpu) / rounds,
    p50: echo?.p50 ?? NaN,
    p99: echo?.p99 ?? NaN,
    errors: lost(results),
  };
}

/** The figures of both sides; none where there is no proxy. */
function sides(prefix: string, [client, server]: readonly number[]): Sample {
  if (client === undefined || server === undefined) return {};
  return { [`${prefix}Client`]: client, [`${prefix}Server`]: server };
}

/** NaN for an empty list. */
function sum(values: readonly number[]): number {
  return values.length === 0 ? NaN : values.reduce((all, value) => all + value, 0);
}

/** The rows of this file. */
export const FANOUT_ROWS: readonly Row[] = [fanout, touch];
