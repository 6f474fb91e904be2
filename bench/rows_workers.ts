/**
 * A second worker. On a small machine load, application and proxies share the cores, so rates do not tell what two
 * workers can do. CPU does: two workers that take as much CPU for a request as one carry twice as many on two cores of
 * their own.
 */
import { cpuDuring } from "./cpu.ts";
import { bulkCpu } from "./rows_traffic.ts";
import { type Metric, oneByOne, type Plan, type Row, type RunContext, type Sample } from "./row.ts";
import type { Subject } from "./subject.ts";

const CONNECTIONS = 64;
const STREAMS = 8;
const WARM_UP_SECONDS = 2;

const LOADS = [
  { id: "requests", title: `requests, ${CONNECTIONS} connections`, each: requests },
  { id: "bulk", title: `upload, ${STREAMS} streams`, each: bulk },
] as const;

/** CPU of both proxies for a request. */
async function requests(subject: Subject, seconds: number): Promise<number> {
  const load = { connections: CONNECTIONS, seconds };
  const [result, times] = await cpuDuring(subject.pids, () => subject.requests(load));
  return times.reduce((sum, { user, system }) => sum + user + system, 0) / result.requests;
}

/** CPU for a byte and hop. */
async function bulk(subject: Subject, seconds: number): Promise<number> {
  const load = { direction: "up", streams: STREAMS, amount: { seconds } } as const;
  const [result, times] = await cpuDuring(subject.pids, () => subject.bulk(load));
  return bulkCpu(result, times)["cpu"]!;
}

async function measure(subject: Subject, plan: Plan, run: RunContext): Promise<Sample> {
  if (subject.kind.ztunnel === null) return {};
  const pairs: Subject[] = [];
  for (const workers of ["1", "2"]) {
    const pair = await run.another(subject, { env: { ZTUNNEL_WORKER_THREADS: workers } });
    if (pair === null) return {};
    pairs.push(pair);
  }
  try {
    const sample: Record<string, number> = {};
    for (const { id, each } of LOADS) {
      for (const pair of pairs) await each(pair, WARM_UP_SECONDS);
      const [one, two] = [await each(pairs[0]!, plan.seconds), await each(pairs[1]!, plan.seconds)];
      sample[id] = 2 * one / two;
    }
    return sample;
  } finally {
    for (const pair of pairs) await pair.stop();
  }
}

/** The rows of this file. */
export const WORKER_ROWS: readonly Row[] = [{
  id: "workers",
  title: "two workers: what they can carry on two cores relative to one on one, from the CPU",
  metrics: LOADS.map(({ id, title }): Metric => ({ id, title, unit: "x", better: "higher" })),
  once: false,
  quick: false,
  measure: oneByOne(measure),
}];
