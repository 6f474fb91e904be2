/** The load generators: `wrk` for requests, `iperf3` for bulk. Their command lines and their output. */

/** Result of a `wrk` run. Times in microseconds. */
export interface RequestResult {
  readonly requests: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Failed connections and reads, time-outs, answers other than 2xx and 3xx. */
  readonly errors: number;
}

/** Result of an `iperf3` run: what arrived. */
export interface BulkResult {
  readonly bytes: number;
  /** Requests of the warm-up seconds. */
  readonly omittedBytes: number;
  readonly bytesPerSecond: number;
}

/** A load of requests. */
export interface RequestLoad {
  readonly host: string;
  readonly port: number;
  readonly connections: number;
  readonly seconds: number;
  /** Each request on its own connection. */
  readonly connectionPerRequest?: boolean;
}

/** The command of `wrk`, with one thread: on a small machine a second one takes CPU time from the proxies. */
export function wrkCommand(load: RequestLoad): string[] {
  const close = load.connectionPerRequest === true ? ["-H", "Connection: close"] : [];
  const size = ["-t1", `-c${load.connections}`, `-d${load.seconds}s`, "--latency", "--timeout", "10s"];
  return ["wrk", ...size, ...close, `http://${load.host}:${load.port}/`];
}

/** A bulk load. */
export interface BulkLoad {
  readonly host: string;
  readonly port: number;
  readonly streams: number;
  readonly direction: "up" | "down";
  readonly amount: { readonly seconds: number } | { readonly bytes: number };
  /** Warm-up seconds before `amount`, which are not counted. */
  readonly omitSeconds?: number;
}

/** The command of `iperf3`. */
export function iperfCommand(load: BulkLoad): string[] {
  const amount = "seconds" in load.amount ? ["-t", `${load.amount.seconds}`] : ["-n", `${load.amount.bytes}`];
  const reverse = load.direction === "down" ? ["-R"] : [];
  const omit = load.omitSeconds === undefined ? [] : ["-O", `${load.omitSeconds}`];
  return [
    "iperf3",
    "-J",
    "-c",
    load.host,
    "-p",
    `${load.port}`,
    "-P",
    `${load.streams}`,
    ...omit,
    ...amount,
    ...reverse,
  ];
}

const MICROS: Readonly<Record<string, number>> = { us: 1, ms: 1e3, s: 1e6, m: 60e6, h: 3600e6 };

/** `wrk` prints times as `172.00us`, `1.29ms`, `2.00s`, `1.03m`. Returns microseconds. */
export function parseWrkTime(text: string): number {
  const [, number, unit] = /^([\d.]+)(us|ms|s|m|h)$/.exec(text) ?? [];
  const scale = MICROS[unit ?? ""];
  if (scale === undefined) throw new Error(`Cannot read the wrk time "${text}" as it must be a number with a unit`);
  return Number(number) * scale;
}

/** Parses the output of `wrk`. Throws where it has no figures. */
export function parseWrk(output: string): RequestResult {
  const [, requests, time] = required(/(\d+) requests in ([\d.]+\w+),/, output, "the number of requests");
  const percentile = (n: number) =>
    parseWrkTime(required(new RegExp(`^\\s+${n}%\\s+(\\S+)`, "m"), output, `${n} %`)[1] ?? "");
  const count = Number(requests);
  if (count === 0) throw new Error(`Cannot use a wrk run without an answered request:\n${output}`);
  return {
    requests: count,
    perSecond: count / (parseWrkTime(time ?? "") / 1e6),
    p50: percentile(50),
    p99: percentile(99),
    errors: socketErrors(output) + Number(/Non-2xx or 3xx responses: (\d+)/.exec(output)?.[1] ?? 0),
  };
}

function socketErrors(output: string): number {
  const counts = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(output);
  return (counts ?? []).slice(1).reduce((sum, count) => sum + Number(count), 0);
}

function required(pattern: RegExp, output: string, what: string): RegExpExecArray {
  const match = pattern.exec(output);
  if (match === null) throw new Error(`Cannot find ${what} in the output of wrk:\n${output}`);
  return match;
}

/** The part of `iperf3 -J` that is used. */
interface IperfReport {
  readonly error?: string;
  readonly intervals?: ReadonlyArray<{ readonly sum: { readonly bytes: number; readonly omitted: boolean } }>;
  readonly end?: { readonly sum_received?: { readonly bytes: number; readonly bits_per_second: number } };
}

/** Parses the output of `iperf3 -J`. Throws where it has no figures. */
export function parseIperf(output: string): BulkResult {
  const report: IperfReport = JSON.parse(output);
  const sum = report.end?.sum_received;
  if (report.error !== undefined || sum === undefined) {
    throw new Error(`Cannot use the iperf3 run: ${report.error ?? "no sum of the received bytes"}`);
  }
  const omitted = (report.intervals ?? []).filter((interval) => interval.sum.omitted);
  const omittedBytes = omitted.reduce((total, interval) => total + interval.sum.bytes, 0);
  return { bytes: sum.bytes, omittedBytes, bytesPerSecond: sum.bits_per_second / 8 };
}
