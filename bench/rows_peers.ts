/**
 * Many HBONE connections at once, each with one stream, as on a node that talks to many others. Both ztunnels open a
 * connection for each stream when POOL_MAX_STREAMS_PER_CONNECTION is 1.
 */
import { busySeconds, cpuDuring, residentBytes } from "./cpu.ts";
import { sleep } from "./processes.ts";
import { eachFresh, type Metric, type Plan, type Row, type Sample } from "./row.ts";
import { bulkCpu } from "./rows_traffic.ts";
import type { Subject } from "./subject.ts";

/** A connection for each stream. */
export const ONE_STREAM_EACH = { POOL_MAX_STREAMS_PER_CONNECTION: "1" } as const;

const COUNTS = [8, 32, 100, 1000];
const SMALL_COUNTS = [8, 32];
const LEAST_SECONDS = 2;
const BULK_STREAMS = 8;
const MB = 1e6;
const MIB = 1 << 20;
const HOPS = 2;
/** The handshakes come first and are only part of p99. The warm-up assumes this many a second. */
const HANDSHAKES_PER_SECOND = 300;
const START_SECONDS = 1;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

const metrics: readonly Metric[] = [
  ...COUNTS.flatMap((count): Metric[] => [
    { id: `rate${count}`, title: `${count} connections: requests`, unit: "1/s", better: "higher" },
    lower(`cpu${count}`, "  CPU each and hop", "us"),
    lower(`cpuClient${count}`, "  client-side proxy", "us"),
    lower(`cpuServer${count}`, "  server-side proxy", "us"),
    lower(`p50_${count}`, "  p50", "us"),
    // The first request of each of 1,000 connections waits for its handshake; these alone are one in a hundred.
    ...(count < 1000 ? [lower(`p99_${count}`, "  p99", "us")] : []),
    lower(`rssClient${count}`, "  RSS right after, client side", "MB"),
    lower(`rssServer${count}`, "  RSS right after, server side", "MB"),
  ]),
  { id: "bulk", title: `upload over ${BULK_STREAMS} connections`, unit: "MiB/s", better: "higher" },
  lower("bulkCpu", "  CPU per GB and hop", "s"),
  lower("bulkClient", "  client-side proxy", "s"),
  lower("bulkServer", "  server-side proxy", "s"),
];

async function measure(subject: Subject, plan: Plan): Promise<Sample> {
  const seconds = Math.max(plan.seconds, LEAST_SECONDS);
  await subject.requests({ connections: BULK_STREAMS, seconds: 1 });
  let sample: Sample = await bulk(subject, seconds);
  for (const count of plan.small ? SMALL_COUNTS : COUNTS) {
    const { errors = 0, ...figures } = await requests(subject, count, seconds);
    sample = { ...sample, ...figures, errors: (sample.errors ?? 0) + errors };
  }
  return sample;
}

/** Rate and CPU are measured after the handshakes. */
async function requests(subject: Subject, connections: number, seconds: number): Promise<Sample> {
  const lead = START_SECONDS + Math.floor(connections / HANDSHAKES_PER_SECOND);
  // A second more than needed, so that the load does not end before the figures are taken.
  const load = subject.requests({ connections, seconds: lead + seconds + 1 });
  // A failure is reported where the result is awaited.
  load.catch(() => {});
  await sleep(lead * 1000);
  const read = async () => ({
    at: performance.now(),
    served: await subject.served(),
    cpu: subject.pids.map(busySeconds),
  });
  const before = await read();
  await sleep(seconds * 1000);
  const after = await read();
  const { p50, p99, errors } = await load;
  const served = after.served - before.served;
  const [client, server] = after.cpu.map((used, side) => (used - (before.cpu[side] ?? NaN)) / served * 1e6);
  const [rssClient, rssServer] = subject.pids.map((pid) => residentBytes(pid) / MB);
  const name = (figures: Readonly<Record<string, number | undefined>>) =>
    Object.entries(figures).flatMap(([id, value]) => value === undefined ? [] : [[`${id}${connections}`, value]]);
  return Object.fromEntries([
    ...name({
      rate: served / ((after.at - before.at) / 1000),
      cpu: client === undefined || server === undefined ? undefined : (client + server) / HOPS,
      cpuClient: client,
      cpuServer: server,
      p50_: p50,
      p99_: p99,
      rssClient,
      rssServer,
    }),
    ["errors", errors],
  ]);
}

async function bulk(subject: Subject, seconds: number): Promise<Sample> {
  const load = { direction: "up", streams: BULK_STREAMS, amount: { seconds } } as const;
  const [result, times] = await cpuDuring(subject.pids, () => subject.bulk(load));
  const rate = result.bytesPerSecond / MIB;
  const { cpu, cpuClient, cpuServer } = bulkCpu(result, times);
  if (cpu === undefined || cpuClient === undefined || cpuServer === undefined) return { bulk: rate };
  return { bulk: rate, bulkCpu: cpu, bulkClient: cpuClient, bulkServer: cpuServer };
}

/** The rows of this file. */
export const PEER_ROWS: readonly Row[] = [{
  id: "peers",
  title: "many HBONE connections, one stream each",
  metrics,
  once: false,
  quick: true,
  measure: eachFresh({ env: ONE_STREAM_EACH }, measure),
}];
