/**
 * Double HBONE: what it costs the client's proxy to reach a workload of another network. The row builds its own two
 * nodes and gateway (`testkit/two_networks.ts`), both proxies in shared mode. The gateway runs on the runtime's TLS and
 * HTTP/2 and is slower than any proxy, so the rates are its own and only the CPU counts.
 */
import { iperf, nginx } from "../lab/bed/apps.ts";
import { SERVICE } from "../lab/bed/mesh.ts";
import { APP_PORT, APP_SERVICE_PORT, TwoNetworksBed } from "../testkit/two_networks.ts";
import { cpuDuring } from "./cpu.ts";
import { type BulkLoad, iperfCommand, parseIperf, parseWrk, wrkCommand } from "./loads.ts";
import type { Ztunnel } from "./pair.ts";
import type { Processes } from "./processes.ts";
import { type Metric, type Plan, type Row, type Sample, ztunnelsOneByOne } from "./row.ts";

const GB = 1e9;
const CONNECTIONS = 32;
const WARM_UP_SECONDS = 2;

const lower = (id: string, title: string, unit: string): Metric => ({ id, title, unit, better: "lower" });

async function measure({ executable, env }: Ztunnel, processes: Processes, { seconds }: Plan): Promise<Sample> {
  const executables = executable === null ? {} : { 1: executable, 2: executable };
  await using bed = await TwoNetworksBed.build(executables, { ZTUNNEL_WORKER_THREADS: "1", ...env });
  await nginx(bed.cluster, bed.server.namespace, "server");
  await iperf(bed.cluster, bed.server.namespace, APP_PORT);
  const inClient = async (command: readonly string[]) => {
    const whole = ["nsenter", `--net=${bed.client.namespace.path}`, "--", ...command];
    const [output, [used]] = await cpuDuring([bed.near.proxy.pid], () => processes.run(whole));
    return { output, cpu: used!.user + used!.system };
  };
  const bulk = async (direction: BulkLoad["direction"], seconds: number) => {
    const load = { host: SERVICE.ip, port: APP_SERVICE_PORT, direction, streams: 1, amount: { seconds } } as const;
    const { output, cpu } = await inClient(iperfCommand(load));
    return cpu / (parseIperf(output).bytes / GB);
  };
  const requests = async (seconds: number) => {
    const load = { host: SERVICE.ip, port: SERVICE.port, connections: CONNECTIONS, seconds };
    const { output, cpu } = await inClient(wrkCommand(load));
    const { requests, errors } = parseWrk(output);
    return { each: 1e6 * cpu / requests, errors };
  };
  await bulk("up", WARM_UP_SECONDS);
  await requests(WARM_UP_SECONDS);
  const [up, down, { each, errors }] = [
    await bulk("up", seconds),
    await bulk("down", seconds),
    await requests(seconds),
  ];
  return { up, down, request: each, errors };
}

/** The rows of this file. */
export const DOUBLE_ROWS: readonly Row[] = [{
  id: "double",
  title: "another network, through a gateway: CPU of the client's proxy",
  metrics: [
    lower("up", "upload, per GB", "s"),
    lower("down", "download, per GB", "s"),
    lower("request", `requests, ${CONNECTIONS} connections, each`, "us"),
  ],
  once: false,
  quick: false,
  measure: ztunnelsOneByOne((ztunnel, { link, processes }, plan) =>
    link.kind === "loopback" ? Promise.resolve({}) : measure(ztunnel, processes, plan)
  ),
}];
