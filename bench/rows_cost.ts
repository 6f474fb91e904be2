/** Rows about what the proxies use: system calls, memory, idle CPU. */
import { descriptors, residentBytes, runTime } from "./cpu.ts";
import { sleep } from "./processes.ts";
import { type Metric, type Plan, proxiesOneByOne, type Round, type Row, type RunContext, type Sample } from "./row.ts";
import type { Subject } from "./subject.ts";
import { syscallsOf } from "./syscalls.ts";

const MB = 1e6;
const MIB = 1 << 20;
const SETTLE_MILLIS = 2000;
const LONGEST_BASELINE_SECONDS = 10;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const syscalls: Row = {
  id: "syscalls",
  title: "system calls",
  metrics: [
    lower("requestClient", "per request, client side", ""),
    lower("requestServer", "per request, server side", ""),
    lower("connectionClient", "per connection, client side", ""),
    lower("connectionServer", "per connection, server side", ""),
    lower("connectionBoth", "per connection, both", ""),
  ],
  once: true,
  quick: true,
  measure: proxiesOneByOne(async (subject, plan) => {
    const { perRequest, perConnection } = await syscallsOf(subject, Math.min(plan.seconds, 2));
    return {
      requestClient: perRequest.client,
      requestServer: perRequest.server,
      connectionClient: perConnection.client,
      connectionServer: perConnection.server,
      connectionBoth: perConnection.client + perConnection.server,
    };
  }),
};

const memory: Row = {
  id: "memory",
  title: "memory and idle CPU",
  metrics: [
    lower("startClient", "RSS before any traffic, client side", "MB"),
    lower("startServer", "RSS before any traffic, server side", "MB"),
    lower("burstClient", "RSS after a burst, client side", "MB"),
    lower("burstServer", "RSS after a burst, server side", "MB"),
    lower("restClient", "RSS after a rest, client side", "MB"),
    lower("restServer", "RSS after a rest, server side", "MB"),
    lower("descriptors", "open descriptors after the rest, most", ""),
    lower("idle", "CPU while idle, most, of a core", "%"),
  ],
  once: true,
  quick: true,
  measure: measureMemory,
};

/** A burst for each, then all rest together: the proxies that wait do not disturb each other, and the rest is long. */
async function measureMemory(subjects: readonly Subject[], plan: Plan, run: RunContext): Promise<Round> {
  const burst = await proxiesOneByOne(async (subject) => {
    await subject.requests({ connections: 64, seconds: plan.seconds });
    await subject.requests({ connections: 64, seconds: plan.seconds, connectionPerRequest: true });
    await subject.bulk({ direction: "up", streams: 8, amount: { seconds: plan.seconds } });
    const after = subject.pids.map(residentBytes);
    return { ...sides("start", subject.memoryAtStart), ...sides("burst", after) };
  })(subjects, plan, run);
  await sleep(plan.restSeconds * 500);
  const idle = await idleShares(subjects, plan.restSeconds / 2);
  const rest = await proxiesOneByOne((subject) =>
    Promise.resolve({
      ...burst.get(subject.id),
      ...sides("rest", subject.pids.map(residentBytes)),
      descriptors: Math.max(...subject.pids.map(descriptors)),
      idle: idle.get(subject.id) ?? NaN,
    })
  )(subjects, plan, run);
  return rest;
}

/** For each subject the larger share of a core, in percent, of its proxies during `seconds` without traffic. */
async function idleShares(subjects: readonly Subject[], seconds: number): Promise<Map<string, number>> {
  const read = () => new Map(subjects.filter((s) => s.pids.length > 0).map((s) => [s.id, s.pids.map(safeRunTime)]));
  const before = read();
  await sleep(seconds * 1000);
  const shares = new Map<string, number>();
  for (const [id, after] of read()) {
    const used = after.map((time, side) => time - (before.get(id)?.[side] ?? NaN));
    shares.set(id, Math.max(...used) / seconds * 100);
  }
  return shares;
}

/** A proxy that has ended is reported by the other figures of its row. */
function safeRunTime(pid: number): number {
  try {
    return runTime(pid);
  } catch {
    return NaN;
  }
}

const volume: Row = {
  id: "volume",
  title: "memory after a large upload",
  metrics: [
    lower("half", "RSS after the first half, most", "MB"),
    lower("whole", "RSS after the second half, most", "MB"),
    lower("growth", "growth in the second half, most", "MB"),
  ],
  once: true,
  quick: false,
  measure: proxiesOneByOne(async (subject, plan) => {
    const half = { direction: "up", streams: 1, amount: { bytes: plan.volumeBytes / 2 } } as const;
    await subject.bulk(half);
    const first = subject.pids.map(residentBytes);
    await subject.bulk(half);
    const second = subject.pids.map(residentBytes);
    const growth = second.map((bytes, side) => bytes - (first[side] ?? NaN));
    return { half: Math.max(...first) / MB, whole: Math.max(...second) / MB, growth: Math.max(...growth) / MB };
  }),
};

const idleConnections: Row = {
  id: "held",
  title: "idle tunnelled connections",
  metrics: [
    lower("client", "RSS per connection, client side", "B"),
    lower("server", "RSS per connection, server side", "B"),
  ],
  once: true,
  quick: false,
  measure: proxiesOneByOne(async (subject, plan, run) => {
    // A proxy with earlier traffic has free memory, which would hide the memory of a connection.
    const fresh = await run.another(subject);
    try {
      return await measureHeld(fresh ?? subject, plan.idleConnections);
    } finally {
      await fresh?.stop();
    }
  }),
};

async function measureHeld(subject: Subject, connections: number): Promise<Sample> {
  await subject.requests({ connections: 4, seconds: 1 });
  const before = subject.pids.map(residentBytes);
  const holder = await subject.hold(connections, "idle");
  try {
    await sleep(SETTLE_MILLIS);
    const each = subject.pids.map((pid, side) => (residentBytes(pid) - (before[side] ?? NaN)) / connections);
    return bySide(each, "client", "server");
  } finally {
    await holder.stop();
  }
}

const stalled: Row = {
  id: "stalled",
  title: "a download whose reader has stopped, beside another download",
  metrics: [
    lower("held", "RSS growth, alone, most", "MiB"),
    lower("later", "RSS growth after the other, most", "MiB"),
    { id: "share", title: "rate of the other, of its rate alone", unit: "%", better: "higher" },
  ],
  once: true,
  quick: false,
  measure: proxiesOneByOne(measureStalled),
};

/** What the stopped reader makes a proxy hold is read before the other download adds its own to it. */
async function measureStalled(subject: Subject, plan: Plan): Promise<Sample> {
  const other = (seconds: number) => subject.bulk({ direction: "down", streams: 1, amount: { seconds } });
  const alone = await other(Math.min(plan.stallSeconds, LONGEST_BASELINE_SECONDS));
  const before = subject.pids.map(residentBytes);
  const growth = () => Math.max(...subject.pids.map((pid, side) => residentBytes(pid) - (before[side] ?? NaN))) / MIB;
  const holder = await subject.hold(1, "stalled");
  try {
    await sleep(SETTLE_MILLIS);
    const held = growth();
    const beside = await other(plan.stallSeconds);
    return { held, later: growth(), share: beside.bytesPerSecond / alone.bytesPerSecond * 100 };
  } finally {
    await holder.stop();
  }
}

function sides(prefix: string, bytes: readonly number[]): Sample {
  return bySide(bytes.map((n) => n / MB), `${prefix}Client`, `${prefix}Server`);
}

/** Two figures, or only the first where one process is both sides. */
function bySide(values: readonly number[], client: string, server: string): Sample {
  const [first = NaN, second] = values;
  return second === undefined ? { [client]: first } : { [client]: first, [server]: second };
}

/** The rows of this file. */
export const COST_ROWS: readonly Row[] = [syscalls, memory, idleConnections, stalled, volume];
