/**
 * DNS for names of the mesh: one proxy with one worker in its own network namespace, queried by dnsperf over loopback,
 * as by the applications of a pod.
 */
import { stringify } from "yaml";
import { cpuDuring } from "./cpu.ts";
import { type Processes, sleep, type Started, waitForLog } from "./processes.ts";
import type { Ztunnel } from "./pair.ts";
import { commandOf } from "./proxies.ts";
import { type Metric, type Plan, type Row, type Sample, ztunnelsOneByOne } from "./row.ts";
import type { Subject } from "./subject.ts";

const PORT = 15053;
const START_MILLIS = 30_000;
/** The load at which latency is measured: half of the target rate. */
const HALF_LOAD = 20_000;
const REPOSITORY = new URL("../", import.meta.url).pathname;

const metrics: readonly Metric[] = [
  { id: "rate", title: "queries, 100 at a time", unit: "1/s", better: "higher" },
  { id: "cpu", title: "CPU each", unit: "us", better: "lower" },
  { id: "p50", title: `p50 at ${HALF_LOAD}/s`, unit: "us", better: "lower" },
  { id: "p99", title: `p99 at ${HALF_LOAD}/s`, unit: "us", better: "lower" },
];

/** A service's own name, short names as pods use them, a name with a search domain, and one of the outside. */
const QUESTIONS = [
  "web.default.svc.cluster.local A",
  "web.default.svc.cluster.local AAAA",
  "web A",
  "api.shop A",
  "api.shop.default.svc.cluster.local A",
  "www.example.com A",
  "any.wild.example.com A",
];

const SERVICES = [
  ["default", "web.default.svc.cluster.local", "10.96.0.1"],
  ["shop", "api.shop.svc.cluster.local", "10.96.0.2"],
  ["shop", "www.example.com", "10.96.0.3"],
  ["shop", "*.wild.example.com", "10.96.0.4"],
] as const;

function meshText(): string {
  return stringify({
    workloads: [{
      uid: "cluster1//Pod/default/a",
      name: "a",
      namespace: "default",
      serviceAccount: "a",
      trustDomain: "cluster.local",
      node: "na",
      network: "",
      protocol: "HBONE",
      workloadIps: ["127.0.0.1"],
      services: {},
    }],
    policies: [],
    services: SERVICES.map(([namespace, hostname, ip]) => ({
      name: hostname.split(".")[0],
      namespace,
      hostname,
      vips: [`/${ip}`],
      ports: new Map([[80, 80]]),
    })),
  });
}

async function measure(ztunnel: Ztunnel, { processes, directory }: Subject, plan: Plan): Promise<Sample> {
  const files = { mesh: `${directory}/dns.yaml`, questions: `${directory}/questions` };
  Deno.writeTextFileSync(files.mesh, meshText());
  Deno.writeTextFileSync(files.questions, QUESTIONS.join("\n") + "\n");
  const proxy = await startProxy(processes, ztunnel, files.mesh);
  try {
    const ask = (...more: readonly string[]) => dnsperf(processes, proxy, files.questions, plan.seconds, more);
    await ask();
    const [flood, [used]] = await cpuDuring([proxy.pid], () => ask("-q", "100", "-c", "4"));
    const completed = numberIn(flood, /Queries completed: +(\d+)/);
    const latencies = latenciesIn(await ask("-Q", `${HALF_LOAD}`, "-c", "4", "-v"));
    return {
      rate: numberIn(flood, /Queries per second: +([\d.]+)/),
      cpu: 1e6 * (used!.user + used!.system) / completed,
      p50: 1e6 * quantile(latencies, 0.5),
      p99: 1e6 * quantile(latencies, 0.99),
      errors: numberIn(flood, /Queries lost: +(\d+)/),
    };
  } finally {
    await proxy.stop();
  }
}

/** The proxy alone, in a namespace that has nothing but loopback. */
async function startProxy(processes: Processes, ztunnel: Ztunnel, mesh: string): Promise<Started> {
  const alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up; exec "$@"', "sh"];
  const env = {
    FAKE_CA: "true",
    XDS_ADDRESS: "",
    LOCAL_XDS_PATH: mesh,
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: "default/a/a",
    NODE_NAME: "na",
    ENABLE_ORIG_SRC: "false",
    IPV6_ENABLED: "false",
    ISTIO_META_DNS_CAPTURE: "true",
    ZTUNNEL_WORKER_THREADS: "1",
    RUST_LOG: "info",
    ...ztunnel.env,
  };
  const proxy = processes.start("dns-proxy", [...alone, ...commandOf(ztunnel)(env)], { env, cwd: REPOSITORY });
  await waitForLog(proxy, /marking server ready/, START_MILLIS);
  // Work that is left from the start must not affect the first figures.
  await sleep(500);
  return proxy;
}

/** Its whole output. One thread: on a small machine a second one takes the time from the proxy. */
function dnsperf(
  processes: Processes,
  proxy: Started,
  questions: string,
  seconds: number,
  more: readonly string[],
): Promise<string> {
  const inside = ["nsenter", `--net=/proc/${proxy.pid}/ns/net`, "--"];
  const where = ["-s", "127.0.0.1", "-p", `${PORT}`, "-d", questions];
  return processes.run([...inside, "dnsperf", ...where, "-T", "1", "-l", `${seconds}`, ...more]);
}

function numberIn(output: string, pattern: RegExp): number {
  const [, number] = pattern.exec(output) ?? [];
  if (number === undefined) throw new Error(`the output of dnsperf lacks ${pattern}: ${output.slice(0, 500)}`);
  return Number(number);
}

/** Latencies of correct answers, in seconds, ascending. */
function latenciesIn(output: string): number[] {
  const found = [...output.matchAll(/^> NOERROR \S+ \S+ ([\d.]+)$/gm)].map(([, seconds]) => Number(seconds));
  if (found.length === 0) throw new Error("dnsperf reported no answers");
  return found.sort((a, b) => a - b);
}

/** `values` ascend. */
function quantile(values: readonly number[], part: number): number {
  return values[Math.min(values.length - 1, Math.floor(part * values.length))] ?? NaN;
}

/** The rows of this file. */
export const DNS_ROWS: readonly Row[] = [{
  id: "dns",
  title: "DNS, names of the mesh, one worker",
  metrics,
  once: false,
  quick: false,
  measure: ztunnelsOneByOne(measure),
}];
