/**
 * Bulk and small requests over a path of 20 ms that loses one packet of a hundred, with Reno as congestion control, which
 * reduces the rate of a connection at each loss, so streams that share one connection share a rate of about 1 MB/s.
 * `direct` has a connection for each.
 */
import { iperfCommand } from "./loads.ts";
import { sleep } from "./processes.ts";
import type { RequestTimes } from "./request_times.ts";
import { eachFresh, type Metric, type Plan, type Row, type Sample } from "./row.ts";
import { script } from "./script.ts";
import type { Subject } from "./subject.ts";

const MB = 1e6;
const LINK = { delayMillis: 10, lossShare: 0.01 } as const;
const STREAMS = 8;
const SECONDS = 10, SMALL_SECONDS = 6;
const CONNECTIONS = 4;
/** Until the uploads beside the requests are known as bulk. */
const SETTLE_SECONDS = 4;
/** Longer than any run: the uploads are stopped with their pair. */
const UPLOAD_SECONDS = 600;

const rate = (id: string, title: string): Metric => ({ id, title, unit: "MB/s", better: "higher" });
const time = (id: string, title: string): Metric => ({ id, title, unit: "ms", better: "lower" });

const metrics: readonly Metric[] = [
  rate("first", "8 uploads, the first traffic of the pair"),
  rate("up", "8 uploads after them"),
  rate("down", "8 downloads after them"),
  time("alone50", "requests on new connections: p50"),
  time("alone99", "  p99"),
  time("p50", "the same beside 8 uploads: p50"),
  time("p99", "  p99"),
];

async function measure(subject: Subject, plan: Plan): Promise<Sample> {
  const seconds = plan.small ? SMALL_SECONDS : SECONDS;
  const bulk = async (direction: "up" | "down") =>
    (await subject.bulk({ direction, streams: STREAMS, amount: { seconds } })).bytesPerSecond / MB;
  const first = await bulk("up");
  const up = await bulk("up");
  const down = await bulk("down");
  const alone = await requests(subject, seconds);
  const { processes, link, target } = subject;
  const load = { host: target.host, port: target.bulk, streams: STREAMS, direction: "up" } as const;
  const argv = [...link.inside("client"), ...iperfCommand({ ...load, amount: { seconds: UPLOAD_SECONDS } })];
  const uploads = processes.start("uploads", argv);
  await sleep(SETTLE_SECONDS * 1000);
  const beside = await requests(subject, 2 * seconds);
  if (!uploads.alive) {
    throw new Error(`Cannot use the requests: the uploads ended before them: ${Deno.readTextFileSync(uploads.log)}`);
  }
  return {
    first,
    up,
    down,
    alone50: part(alone, 0.5),
    alone99: part(alone, 0.99),
    p50: part(beside, 0.5),
    p99: part(beside, 0.99),
    errors: alone.errors + beside.errors,
  };
}

async function requests({ processes, link, target }: Subject, seconds: number): Promise<RequestTimes> {
  const words = [target.host, target.http, CONNECTIONS, 1, seconds].map(String);
  return JSON.parse(await processes.run([...link.inside("client"), ...script("request_times.ts", ...words)]));
}

function part({ millis }: RequestTimes, share: number): number {
  return millis[Math.min(millis.length - 1, Math.floor(share * millis.length))] ?? NaN;
}

/** The rows of this file. */
export const LOSSY_ROWS: readonly Row[] = [{
  id: "lossy",
  title: "8 streams over a path of 20 ms that loses 1 % of the packets",
  metrics,
  once: true,
  quick: false,
  measure: eachFresh({ link: LINK, congestionControl: "reno" }, measure),
}];
