/** Very many connections: open at the same time beside a probe, and one after another until nothing may be left. */
import { readFileSync } from "node:fs";
import { parseSample, sumOf } from "../lab/scrape.ts";
import { busySeconds, descriptors, residentBytes } from "./cpu.ts";
import { Crowd, lost, startEcho } from "./crowd.ts";
import type { Passed } from "./passing.ts";
import { sleep, waitForLog } from "./processes.ts";
import { ECHO_PORT, type Side } from "./rig.ts";
import { eachFresh, type Metric, type Plan, type Row, type Sample } from "./row.ts";
import { script } from "./script.ts";
import type { Group } from "./sender.ts";
import type { Subject } from "./subject.ts";

const MB = 1e6;
const SIDES: readonly Side[] = ["client", "server"];
const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const OPEN = { full: 20_000, small: 2000 } as const;
const OPEN_SECONDS = { full: 15, small: 4 } as const;
/** Descriptors that a process needs for something else. */
const OTHER_DESCRIPTORS = 500;
const PROBE: Group = { connections: 1, everyMillis: 5, pick: null };
/** 100 messages a second on connections chosen at random. */
const LIVE = { everyMillis: 200, pick: 20 } as const;

const crowd: Row = {
  id: "crowd",
  title: `a probe that asks every 5 ms, beside ${OPEN.full} live connections`,
  metrics: [
    { id: "open", title: "connections", unit: "", better: "higher" },
    lower("aloneP50", "probe alone: p50", "us"),
    lower("aloneP99", "  p99", "us"),
    lower("p50", "beside the connections: p50", "us"),
    lower("p99", "  p99", "us"),
    lower("ratio", "  p99, relative to that alone", ""),
    lower("cpu", "cores, both proxies", ""),
    lower("rssClient", "RSS, client side", "MB"),
    lower("rssServer", "RSS, server side", "MB"),
  ],
  once: false,
  quick: false,
  measure: eachFresh({}, beside),
};

/** A pair without proxies has no figures of them. */
async function beside(subject: Subject, plan: Plan): Promise<Sample> {
  const size = plan.small ? "small" : "full";
  const connections = Math.min(OPEN[size], await mostDescriptors(subject) - OTHER_DESCRIPTORS);
  const echo = await startEcho(subject);
  const run = async (groups: readonly Group[]) => {
    const started = await Crowd.startWithoutEcho(subject, groups, OPEN_SECONDS[size]);
    const before = subject.pids.map(busySeconds);
    const results = await started.results();
    const cores = subject.pids.map((pid, side) => (busySeconds(pid) - before[side]!) / OPEN_SECONDS[size]);
    const rss = subject.pids.map((pid) => residentBytes(pid) / MB);
    await started.stop();
    return { results, cores, rss };
  };
  // The first one lets the runtime compile the path.
  await run([PROBE]);
  const alone = (await run([PROBE])).results[0]!;
  const { results, cores, rss } = await run([PROBE, { connections, ...LIVE }]);
  await echo.stop();
  const probe = results[0]!;
  return {
    open: connections - results[1]!.failed,
    aloneP50: alone.p50,
    aloneP99: alone.p99,
    p50: probe.p50,
    p99: probe.p99,
    ratio: probe.p99 / alone.p99,
    errors: lost(results),
    ...cores.length === 0 ? {} : { cpu: cores.reduce((sum, each) => sum + each, 0) },
    ...ofSides("rss", rss),
  };
}

/** The limit of open files of the processes of a run. */
export async function mostDescriptors({ processes }: Subject): Promise<number> {
  const limit = await processes.run(["sh", "-c", "ulimit -n"]);
  return limit.trim() === "unlimited" ? Infinity : Number(limit);
}

const PASSING = { full: 200_000, small: 4000 } as const;
const PER_SECOND = 1000 / 3;
/** The first tenth of the connections compiles and allocates what all of them need. */
const FIRST = 0.1;
const REST_MILLIS = 10_000;

const passing: Row = {
  id: "passing",
  title: `${PASSING.full} connections in ten minutes, and what is left of them`,
  metrics: [
    { id: "done", title: "connections", unit: "", better: "higher" },
    lower("cpu", "CPU for each, both proxies", "us"),
    ...SIDES.flatMap((side): Metric[] => [
      lower(`descriptors${nameOf(side)}`, `descriptors left, ${side} side`, ""),
      lower(`sockets${nameOf(side)}`, "  istio_tcp_sockets_open", ""),
      lower(`series${nameOf(side)}`, "  lines of /metrics, more than after the first tenth", ""),
      lower(`rss${nameOf(side)}`, "  RSS, more than after the first tenth", "MB"),
    ]),
  ],
  once: true,
  quick: false,
  measure: eachFresh({}, left),
};

async function left(subject: Subject, plan: Plan): Promise<Sample> {
  if (subject.pids.length === 0) return {};
  const count = PASSING[plan.small ? "small" : "full"];
  await startEcho(subject);
  const begun = subject.pids.map(busySeconds);
  const open = subject.pids.map(descriptors);
  const first = await pass(subject, count * FIRST);
  const warm = await Promise.all(SIDES.map((side) => stateOf(subject, side)));
  const rest = await pass(subject, count * (1 - FIRST));
  const states = await Promise.all(SIDES.map((side) => stateOf(subject, side)));
  const used = subject.pids.reduce((sum, pid, index) => sum + busySeconds(pid) - begun[index]!, 0);
  const done = first.succeeded + rest.succeeded;
  return {
    done,
    errors: first.failed + rest.failed,
    cpu: used / done * 1e6,
    ...ofSides("descriptors", states.map((state, index) => state.descriptors - open[index]!)),
    ...ofSides("sockets", states.map((state) => state.sockets)),
    ...ofSides("series", states.map((state, index) => state.series - warm[index]!.series)),
    ...ofSides("rss", states.map((state, index) => state.rss - warm[index]!.rss)),
  };
}

/** Opens and closes connections, and waits until the proxies are at rest. */
async function pass({ link, processes }: Subject, count: number): Promise<Passed> {
  const words = [link.addresses.server, `${ECHO_PORT}`, `${PER_SECOND}`, `${count}`];
  const program = processes.start("passing", [...link.inside("client"), ...script("passing.ts", ...words)]);
  await waitForLog(program, /\}\n/, count / PER_SECOND * 1000 + 60_000);
  await sleep(REST_MILLIS);
  return JSON.parse(readFileSync(program.log, "utf8"));
}

async function stateOf({ link, processes, pair }: Subject, side: Side) {
  const { pid } = pair[side]!;
  const page = await processes.run([...link.inside(side), "curl", "-sS", "-f", "http://127.0.0.1:15020/metrics"]);
  const samples = page.split("\n").map(parseSample).filter((sample) => sample !== null);
  return {
    descriptors: descriptors(pid),
    sockets: sumOf(samples, "istio_tcp_sockets_open", {}),
    series: samples.length,
    rss: residentBytes(pid) / MB,
  };
}

function nameOf(side: Side): string {
  return side === "client" ? "Client" : "Server";
}

/** Nothing where there is no proxy. */
function ofSides(figure: string, values: readonly number[]): Sample {
  return Object.fromEntries(values.map((value, index) => [`${figure}${nameOf(SIDES[index]!)}`, value]));
}

/** The rows of this file. */
export const MANY_ROWS: readonly Row[] = [crowd, passing];
