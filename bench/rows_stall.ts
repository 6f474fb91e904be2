/**
 * The longest time in which a pair answered no request: a probe sends one every 2 ms on its own connection, and
 * its longest latency minus its median is the longest turn of a proxy's worker, seen from outside.
 */
import { peakBytes, resetPeak, residentBytes } from "./cpu.ts";
import { Crowd, startEcho } from "./crowd.ts";
import { sleep, waitForLog } from "./processes.ts";
import type { PairSetup, Variant } from "./pair.ts";
import { type Metric, oneByOne, type Plan, type Row, type RunContext, type Sample } from "./row.ts";
import { ONE_STREAM_EACH } from "./rows_peers.ts";
import { script } from "./script.ts";
import type { Group, GroupResult } from "./sender.ts";
import type { Subject } from "./subject.ts";

const MB = 1e6;
const PROBE: Group = { connections: 1, everyMillis: 2, pick: null };
const LEAD_MILLIS = 1000;
const DRAIN_SECONDS = 6;
const ATTACK_SECONDS = 4;
/** Other load on the machine only adds to a latency, so the best of these runs counts. */
const ATTEMPTS = 2;
const START_MILLIS = 30_000;
/** PINGs are due every 10 s. */
const FULL = { idle: 5000, idleSeconds: 40, draining: 3000, pairs: 100_000 } as const;
const SMALL = { idle: 500, idleSeconds: 12, draining: 300, pairs: 20_000 } as const;
/** No more than the 65,535 bytes of a stream's initial window (RFC 9113, 6.9.2). */
const FRAMES = 60_000;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const metrics: readonly Metric[] = [
  lower("idle", `${FULL.idle} idle connections, PINGs due`, "ms"),
  lower("drain", `SIGTERM to the server side with ${FULL.draining} connections`, "ms"),
  lower("drainBefore", "  its RSS before", "MB"),
  lower("drainPeak", "  its peak RSS", "MB"),
  lower("keyUpdates", `${FULL.pairs} pairs of a TLS KeyUpdate and a one-byte record`, "ms"),
  lower("records", `${FULL.pairs} one-byte records of one-byte DATA frames`, "ms"),
  lower("frames", `${FRAMES} one-byte DATA frames in full records`, "ms"),
  lower("quiet", "median of the probe beside idle connections", "us"),
];

async function measure(subject: Subject, plan: Plan, run: RunContext): Promise<Sample> {
  const size = plan.small ? SMALL : FULL;
  const withPair = async (variant: Variant, work: (pair: Subject) => Promise<Sample>): Promise<Sample> => {
    const pair = await run.another(subject, variant);
    if (pair === null) return {};
    try {
      return await work(pair);
    } finally {
      await pair.stop();
    }
  };
  return {
    ...await withPair({ env: ONE_STREAM_EACH }, (pair) => besideIdle(pair, size.idle, size.idleSeconds)),
    // Longer than the row measures: connections left at the deadline are cut, which is not part of this measurement.
    ...await withPair(
      { env: { ...ONE_STREAM_EACH, CONNECTION_TERMINATION_DEADLINE: "30s" } },
      (pair) => draining(pair, size.draining),
    ),
    ...await withPair({ prepare: scriptedCa }, (pair) => attacked(pair, size.pairs, plan.small ? 1 : ATTEMPTS)),
  };
}

async function besideIdle(pair: Subject, connections: number, seconds: number): Promise<Sample> {
  const crowd = await Crowd.start(pair, [PROBE, idle(connections)], seconds);
  const [probe] = await crowd.results();
  return { idle: longestTurn(probe), quiet: probe?.p50 ?? NaN };
}

async function draining(pair: Subject, connections: number): Promise<Sample> {
  const crowd = await Crowd.start(pair, [PROBE, idle(connections)], DRAIN_SECONDS);
  await sleep(LEAD_MILLIS);
  const pid = pair.pair.server?.pid;
  if (pid === undefined) return {};
  const before = residentBytes(pid);
  resetPeak(pid);
  Deno.kill(pid, "SIGTERM");
  await sleep(DRAIN_SECONDS * 1000 - LEAD_MILLIS - 500);
  const peak = peakBytes(pid);
  const [probe] = await crowd.results();
  if (probe?.closed !== 0) throw new Error("Cannot use the drain: it closed the probe's connection");
  return { drain: longestTurn(probe), drainBefore: before / MB, drainPeak: peak / MB };
}

async function attacked(pair: Subject, pairs: number, attempts: number): Promise<Sample> {
  await startEcho(pair);
  const sample: Record<string, number> = {};
  for (const [kind, count] of [["keyUpdates", pairs], ["records", pairs], ["frames", FRAMES]] as const) {
    let best = Infinity;
    for (let attempt = 0; attempt < attempts; attempt++) best = Math.min(best, await attackOnce(pair, kind, count));
    sample[kind] = best;
  }
  return sample;
}

/** The attacker has encrypted everything before the probe begins. */
async function attackOnce(pair: Subject, kind: string, count: number): Promise<number> {
  const { link, directory, processes } = pair;
  const words = [directory, link.addresses.server, kind, `${count}`];
  const hostile = processes.start("hostile", [...link.inside("client"), ...script("hostile.ts", ...words)]);
  await waitForLog(hostile, /ready/, START_MILLIS);
  const crowd = await Crowd.startWithoutEcho(pair, [PROBE], ATTACK_SECONDS);
  await sleep(LEAD_MILLIS);
  Deno.kill(hostile.pid, "SIGUSR2");
  const [probe] = await crowd.results();
  await waitForLog(hostile, /sent|cut/, START_MILLIS);
  await hostile.stop();
  await crowd.stop();
  return longestTurn(probe);
}

/** Both kinds get certificates from this CA, and the attacker has one of the same root. */
export async function scriptedCa({ processes, link, directory }: PairSetup): Promise<Record<string, string>> {
  const own = link.addresses.server;
  const argv = [...link.inside("server"), ...script("handshake_peer.ts", "serve", directory, own)];
  await waitForLog(processes.start("ca", argv), /ready/, START_MILLIS);
  return {
    FAKE_CA: "false",
    CA_ADDRESS: `https://${own}:15012`,
    CA_ROOT_CA: `${directory}/root.pem`,
    ALT_CA_HOSTNAME: "localhost",
    AUTH_TOKEN: "a-token",
  };
}

function idle(connections: number): Group {
  return { connections, everyMillis: 0, pick: null };
}

/** In ms. */
function longestTurn(probe: GroupResult | undefined): number {
  return probe === undefined || probe.answered === 0 ? NaN : (probe.longest - probe.p50) / 1000;
}

const measureAll = oneByOne(measure);

/** The rows of this file. */
export const STALL_ROWS: readonly Row[] = [{
  id: "stall",
  title: "longest turn of a worker, seen by a probe that asks every 2 ms",
  metrics,
  once: true,
  quick: true,
  measure: (subjects, plan, run) => measureAll(subjects.filter(({ kind }) => kind.entry === "redirect-all"), plan, run),
}];
