/**
 * Small requests beside two uploads to the same workload over 10 Mbit/s: bytes of the uploads that a proxy has accepted
 * but not yet sent delay every request. `direct` shows the delay by the link's queue alone.
 */
import { iperfCommand } from "./loads.ts";
import { sleep } from "./processes.ts";
import type { RequestTimes } from "./request_times.ts";
import { eachFresh, type Metric, type Plan, type Row, type Sample } from "./row.ts";
import { script } from "./script.ts";
import type { Subject } from "./subject.ts";

const MEGABIT = 1e6;
/** The queue holds what the line sends in 100 ms. */
const LINK = { delayMillis: 10, bitsPerSecond: 10 * MEGABIT, queueBytes: 128 * 1024 } as const;
const CONNECTIONS = 4;
/** Until the connections of the requests are open, so that all share one HBONE connection. */
const OPEN_SECONDS = 2;
/** Time until the uploads have filled all queues. */
const FILL_SECONDS = 5;
const SECONDS = 20, SMALL_SECONDS = 6;
/** Longer than any run: the uploads are stopped with their pair. */
const UPLOAD_SECONDS = 600;

const lower = (id: string, title: string): Metric => ({ id, title, unit: "ms", better: "lower" });

const metrics: readonly Metric[] = [
  lower("p50", "p50"),
  lower("p90", "p90"),
  lower("longest", "longest"),
  { id: "rate", title: "rate", unit: "1/s", better: "higher" },
  { id: "line", title: "uploads and requests, on the wire", unit: "Mbit/s", better: "higher" },
];

async function measure(subject: Subject, plan: Plan): Promise<Sample> {
  const { processes, link, target } = subject;
  const seconds = plan.small ? SMALL_SECONDS : SECONDS;
  const words = [target.host, target.http, CONNECTIONS, OPEN_SECONDS + FILL_SECONDS, seconds].map(String);
  const inside = link.inside("client");
  const requests = processes.run([...inside, ...script("request_times.ts", ...words)]);
  // A failure is reported where the result is awaited.
  requests.catch(() => {});
  await sleep(OPEN_SECONDS * 1000);
  const load = { host: target.host, port: target.bulk, streams: 2, direction: "up" } as const;
  const uploads = processes.start("uploads", [
    ...inside,
    ...iperfCommand({ ...load, amount: { seconds: UPLOAD_SECONDS } }),
  ]);
  await sleep(FILL_SECONDS * 1000);
  const [before, began] = [subject.wireBytes(), performance.now()];
  const { millis, errors }: RequestTimes = JSON.parse(await requests);
  const line = (subject.wireBytes() - before) * 8 / MEGABIT / ((performance.now() - began) / 1000);
  if (!uploads.alive) {
    throw new Error(`Cannot use the requests: the uploads ended before them: ${Deno.readTextFileSync(uploads.log)}`);
  }
  const part = (share: number) => millis[Math.min(millis.length - 1, Math.floor(share * millis.length))] ?? NaN;
  return { p50: part(0.5), p90: part(0.9), longest: part(1), rate: millis.length / seconds, line, errors };
}

/** The rows of this file. */
export const NARROW_ROWS: readonly Row[] = [{
  id: "narrow",
  title: "4 connections of requests beside 2 uploads over 10 Mbit/s, 20 ms",
  metrics,
  once: true,
  quick: true,
  measure: eachFresh({ link: LINK }, measure),
}];
