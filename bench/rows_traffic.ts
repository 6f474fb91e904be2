/** Rows about bulk transfers and requests. */
import { cpuDuring, type CpuTime } from "./cpu.ts";
import type { BulkLoad, BulkResult, RequestLoad } from "./loads.ts";
import { sleep } from "./processes.ts";
import { script } from "./script.ts";
import { type Metric, oneByOne, type Plan, type Row, type Sample } from "./row.ts";
import type { Subject } from "./subject.ts";

const MIB = 1 << 20;
const GB = 1e9;
/** The path has two proxies; figures "per hop" are half of what both used. */
const HOPS = 2;

const BULK_METRICS: readonly Metric[] = [
  { id: "rate", title: "rate", unit: "MiB/s", better: "higher" },
  { id: "cpu", title: "CPU per GB and hop", unit: "s", better: "lower" },
  { id: "user", title: "  of it user", unit: "s", better: "lower" },
  { id: "system", title: "  of it system", unit: "s", better: "lower" },
  { id: "cpuClient", title: "  client-side proxy", unit: "s", better: "lower" },
  { id: "cpuServer", title: "  server-side proxy", unit: "s", better: "lower" },
];

const REQUEST_METRICS: readonly Metric[] = [
  { id: "rate", title: "rate", unit: "1/s", better: "higher" },
  { id: "cpu", title: "CPU each and hop", unit: "us", better: "lower" },
  { id: "p50", title: "p50", unit: "us", better: "lower" },
  { id: "p99", title: "p99", unit: "us", better: "lower" },
];

/** Requests beside a bulk stream: the CPU is shared by both loads, so it belongs to neither. */
const BESIDE_METRICS: readonly Metric[] = [
  ...REQUEST_METRICS.filter((metric) => metric.id !== "cpu"),
  { id: "bulk", title: "upload, on the wire", unit: "MiB/s", better: "higher" },
  { id: "bulkPaced", title: "upload beside at most 400 requests/s", unit: "MiB/s", better: "higher" },
];
/** ms between two requests of a connection; the Rust ztunnel answers about as many. */
const PACE = 10;

const BESIDE_LEAD_BYTES = 50e6;
const BESIDE_SPARE_SECONDS = 2;

function bulkRow(direction: BulkLoad["direction"], streams: number): Row {
  return {
    id: `${direction}${streams}`,
    title: `${direction === "up" ? "upload" : "download"}, ${streams} stream${streams === 1 ? "" : "s"}`,
    metrics: BULK_METRICS,
    once: false,
    quick: streams === 1,
    measure: oneByOne(async (subject, plan) => {
      const load = { direction, streams, amount: bulkAmount(plan) };
      const [result, times] = await cpuDuring(subject.pids, () => subject.bulk(load));
      return { rate: result.bytesPerSecond / MIB, ...bulkCpu(result, times) };
    }),
  };
}

function bulkAmount(plan: Plan): BulkLoad["amount"] {
  return plan.bulkBytes === null ? { seconds: plan.seconds } : { bytes: plan.bulkBytes };
}

/** CPU per byte of a bulk transfer. */
export function bulkCpu(result: BulkResult, times: readonly CpuTime[]): Sample {
  if (times.length === 0) return {};
  const perGb = (pick: (time: CpuTime) => number) =>
    times.reduce((sum, time) => sum + pick(time), 0) / (result.bytes / GB);
  const both = { user: perGb((time) => time.user) / HOPS, system: perGb((time) => time.system) / HOPS };
  const figures = { cpu: both.user + both.system, ...both };
  const [client, server] = times;
  if (client === undefined || server === undefined) return figures;
  const one = (time: CpuTime) => (time.user + time.system) / (result.bytes / GB);
  return { ...figures, cpuClient: one(client), cpuServer: one(server) };
}

function requestRow(
  id: string,
  title: string,
  quick: boolean,
  load: Pick<RequestLoad, "connections" | "connectionPerRequest">,
): Row {
  return {
    id,
    title,
    metrics: REQUEST_METRICS,
    once: false,
    quick,
    measure: oneByOne(async (subject, plan) => {
      const [result, times] = await cpuDuring(subject.pids, () => subject.requests({ ...load, seconds: plan.seconds }));
      const { perSecond: rate, p50, p99, errors } = result;
      if (times.length === 0) return { rate, p50, p99, errors };
      const used = times.reduce((sum, time) => sum + time.user + time.system, 0);
      return { rate, p50, p99, errors, cpu: used / HOPS / result.requests * 1e6 };
    }),
  };
}

/**
 * Requests as fast as they are answered, and then, beside another upload, as many as every subject can answer: a proxy
 * that answers ten times as many of the first kind gives the upload less of the CPU that all share.
 */
async function beside(subject: Subject, plan: Plan): Promise<Sample> {
  const { link, processes, target: { host, http } } = subject;
  const [{ perSecond: rate, p50, p99, errors }, bulk] = await duringUpload(subject, plan, () => {
    return subject.requests({ connections: 4, seconds: plan.seconds });
  });
  const words = [host, `${http}`, "4", "0", `${plan.seconds}`, `${PACE}`];
  const [, bulkPaced] = await duringUpload(subject, plan, () => {
    return processes.run([...link.inside("client"), ...script("request_times.ts", ...words)]);
  });
  return { rate, p50, p99, errors, bulk, bulkPaced };
}

/** The load starts when the upload is at full speed and ends before it does. Returns the upload's rate meanwhile, too. */
async function duringUpload<T>(subject: Subject, plan: Plan, load: () => Promise<T>): Promise<[T, number]> {
  const start = subject.wireBytes();
  let uploading = true;
  const upload = subject.bulk({ direction: "up", streams: 1, amount: { seconds: plan.seconds + BESIDE_SPARE_SECONDS } })
    .finally(() => uploading = false);
  // The first failure is reported; the other promise still needs a handler.
  upload.catch(() => {});
  while (uploading && subject.wireBytes() < start + BESIDE_LEAD_BYTES) await sleep(10);
  const [before, began] = [subject.wireBytes(), performance.now()];
  const result = await load();
  const bulk = (subject.wireBytes() - before) / ((performance.now() - began) / 1000) / MIB;
  const early = !uploading;
  await upload;
  if (early) throw new Error("Cannot use the requests: the upload ended before them");
  return [result, bulk];
}

/** The rows of this file. */
export const TRAFFIC_ROWS: readonly Row[] = [
  bulkRow("up", 1),
  bulkRow("down", 1),
  bulkRow("up", 8),
  bulkRow("down", 8),
  ...[1, 16, 32, 64].map((connections) =>
    requestRow(
      `req${connections}`,
      `requests, ${connections} connection${connections === 1 ? "" : "s"}`,
      connections % 31 === 1,
      {
        connections,
      },
    )
  ),
  requestRow("conn", "one new connection per request, 16 at a time", true, {
    connections: 16,
    connectionPerRequest: true,
  }),
  {
    id: "beside",
    title: "4 connections of requests beside an upload",
    metrics: BESIDE_METRICS,
    once: false,
    quick: true,
    measure: oneByOne(beside),
  },
];
