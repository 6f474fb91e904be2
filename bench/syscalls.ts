/**
 * System calls per request and per connection, counted by `strace -c -f` on both proxies. These figures do not move
 * with the machine, so a test may guard them.
 */
import { type CallCounts, parseStrace } from "../lab/strace.ts";
import { type Processes, sleep, type Started, waitForLog } from "./processes.ts";
import type { ProxyUnderTest } from "./pair.ts";
import { Session } from "./session.ts";
import type { Subject } from "./subject.ts";

/** Per proxy process: calls divided by what was asked for. */
interface SyscallFigures {
  readonly client: number;
  readonly server: number;
  /** The ten most frequent calls of each proxy, for analysis. */
  readonly detail: Readonly<Record<"client" | "server", Readonly<Record<string, number>>>>;
}

/** The figures of a subject. */
export interface SyscallReport {
  /** One connection, requests one after the other. */
  readonly perRequest: SyscallFigures;
  /** One request per connection, 16 at a time. */
  readonly perConnection: SyscallFigures;
}

const ATTACH_MILLIS = 10_000;

/** Counts the calls of `pids` while `load` runs; `load` returns by how many to divide. */
async function countSyscalls(
  processes: Processes,
  pids: readonly number[],
  load: () => Promise<number>,
): Promise<SyscallFigures> {
  const tracers = await Promise.all(pids.map((pid) => attach(processes, pid)));
  // One process that is both sides does both hops of everything.
  const units = await load() * (pids.length === 1 ? 2 : 1);
  const counts = await Promise.all(tracers.map(detach));
  const [client, server] = [counts[0] ?? new Map(), counts[1] ?? counts[0] ?? new Map()];
  return {
    client: total(client) / units,
    server: total(server) / units,
    detail: { client: frequent(client, units), server: frequent(server, units) },
  };
}

/** Both figures of a running pair; each load runs for `seconds`. */
export async function syscallsOf(subject: Subject, seconds: number): Promise<SyscallReport> {
  const count = (load: Parameters<Subject["requests"]>[0]) =>
    countSyscalls(subject.processes, subject.pids, async () => (await subject.requests(load)).requests);
  const perRequest = await count({ connections: 1, seconds });
  const perConnection = await count({ connections: 16, seconds, connectionPerRequest: true });
  return { perRequest, perConnection };
}

/**
 * Starts a pair of `kind`, warms it up, counts and stops it. Needs `strace`, `wrk` and `nginx`, and root for
 * namespaces.
 */
export async function measureSyscalls(kind: ProxyUnderTest, seconds = 1): Promise<SyscallReport> {
  const session = new Session();
  try {
    const subject = await session.start(kind);
    await subject.requests({ connections: 4, seconds: 1 });
    return await syscallsOf(subject, seconds);
  } finally {
    await session.close();
  }
}

async function attach(processes: Processes, pid: number): Promise<Started> {
  const tracer = processes.start("strace", ["strace", "-c", "-f", "-S", "calls", "-p", `${pid}`]);
  await waitForLog(tracer, /attached/, ATTACH_MILLIS);
  // It reports the first thread before it holds the others.
  await sleep(100);
  return tracer;
}

/** `strace` prints its summary when it is asked to end. */
async function detach(tracer: Started): Promise<CallCounts> {
  await tracer.stop();
  return parseStrace(Deno.readTextFileSync(tracer.log));
}

function total(counts: CallCounts): number {
  return counts.values().reduce((sum, count) => sum + count, 0);
}

function frequent(counts: CallCounts, units: number): Record<string, number> {
  const order = [...counts].sort(([, a], [, b]) => b - a).slice(0, 10);
  return Object.fromEntries(order.map(([name, count]) => [name, Math.round(count / units * 100) / 100]));
}
