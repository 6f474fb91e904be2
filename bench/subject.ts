/** A running proxy pair: its link, its application, and the address for load generators. */
import { readSystemFile } from "../src/os/system_files.ts";
import { residentBytes } from "./cpu.ts";
import { parseIperf, parseWrk } from "./loads.ts";
import {
  type BulkLoad,
  type BulkResult,
  iperfCommand,
  type RequestLoad,
  type RequestResult,
  wrkCommand,
} from "./loads.ts";
import { meshFile } from "./mesh_file.ts";
import { applicationConfig, ENDLESS_PATH, STATUS_PATH, STREAM_PORTS } from "./nginx.ts";
import { type Processes, sleep, type Started, waitForLog, waitForPorts } from "./processes.ts";
import type { Pair, Variant } from "./pair.ts";
import type { ProxyUnderTest } from "./pair.ts";
import { BULK_PORT, HTTP_PORT, type Link } from "./rig.ts";
import { script } from "./script.ts";

const SOCKS_PORT = 15080;
const START_MILLIS = 10_000;
const BUSY_ATTEMPTS = 5;
const BUSY_PAUSE_MILLIS = 200;
/** Size of the file behind `ENDLESS_PATH`; it is sparse. */
const ENDLESS_BYTES = 1 << 30;

interface Target {
  readonly host: string;
  readonly http: number;
  readonly bulk: number;
}

/** What a subject is built on, for its use alone, and how that is removed again. */
interface SubjectBase {
  readonly processes: Processes;
  readonly link: Link;
  /** An empty folder. */
  readonly directory: string;
  readonly end: () => Promise<void>;
}

/** A proxy pair that is measured. */
export class Subject {
  readonly id: string;
  readonly title: string;
  readonly tls: string;
  /** Memory of each proxy before any traffic, in bytes. */
  readonly memoryAtStart: readonly number[];

  private constructor(
    readonly kind: ProxyUnderTest,
    readonly processes: Processes,
    readonly link: Link,
    readonly target: Target,
    readonly pair: Pair,
    readonly application: Started,
    /** Holds the authority's files, where the proxies have an authority of their own. */
    readonly directory: string,
    readonly stop: () => Promise<void>,
  ) {
    this.id = kind.id;
    this.title = kind.title;
    this.tls = pair.tls;
    this.memoryAtStart = this.pids.map(residentBytes);
  }

  /** Starts application and proxies. */
  static async start(kind: ProxyUnderTest, ground: SubjectBase, variant: Variant = {}): Promise<Subject> {
    const { processes, link, directory } = ground;
    const mesh = `${directory}/mesh.yaml`;
    Deno.writeTextFileSync(mesh, meshFile(link));
    const application = await startApplication(processes, link, directory);
    const pair = await kind.start({ processes, link, directory, mesh, variant });
    const target = await findEntry(kind, processes, link);
    return new Subject(kind, processes, link, target, pair, application, directory, ground.end);
  }

  /** The proxies' processes: none, one that is both sides, or client side and server side. */
  get pids(): readonly number[] {
    const { client, server } = this.pair;
    if (client === null || server === null) return [];
    return client.pid === server.pid ? [client.pid] : [client.pid, server.pid];
  }

  /** False once one of the proxies has ended. */
  get alive(): boolean {
    return this.pair.client?.alive !== false && this.pair.server?.alive !== false;
  }

  async requests(load: Omit<RequestLoad, "host" | "port">): Promise<RequestResult> {
    return parseWrk(await this.#load(wrkCommand({ ...load, host: this.target.host, port: this.target.http })));
  }

  async bulk(load: Omit<BulkLoad, "host" | "port">): Promise<BulkResult> {
    const command = iperfCommand({ ...load, host: this.target.host, port: this.target.bulk });
    for (let attempt = 1;; attempt++) {
      try {
        return parseIperf(await this.#load(command));
      } catch (error) {
        // iperf3 serves one client at a time, and takes a moment to notice that the last one has disconnected.
        if (attempt === BUSY_ATTEMPTS || !/busy/.test(`${error}`)) throw error;
        await sleep(BUSY_PAUSE_MILLIS);
      }
    }
  }

  /** Starts `bench/holder.ts` on the client side and waits until all its connections are open. */
  async hold(connections: number, mode: "idle" | "stalled"): Promise<Started> {
    const path = mode === "idle" ? "/" : ENDLESS_PATH;
    const where = [this.target.host, `${this.target.http}`, `${connections}`, path];
    const argv = [...this.link.inside("client"), ...script("holder.ts", ...where)];
    const holder = this.processes.start(`holder-${mode}`, argv);
    await waitForLog(holder, /ready/, 60_000);
    return holder;
  }

  /** How many requests the application has received, including this query. The query does not pass the proxies. */
  async served(): Promise<number> {
    const ask = `exec 3<>/dev/tcp/${this.link.addresses.server}/${HTTP_PORT}
printf 'GET ${STATUS_PATH} HTTP/1.0\r\n\r\n' >&3; cat <&3`;
    const answer = await this.processes.run([...this.link.inside("server"), "bash", "-c", ask]);
    return Number(/requests\s+\d+ \d+ (\d+)/.exec(answer)?.[1]);
  }

  /** Bytes that came in on the server side's wire so far; on loopback every hop of the path counts. */
  wireBytes(): number {
    const table = readSystemFile(`/proc/${this.application.pid}/net/dev`);
    return Number(new RegExp(`^ *${this.link.device}: *(\\d+)`, "m").exec(table)?.[1]);
  }

  #load(argv: readonly string[]): Promise<string> {
    return this.processes.run([...this.link.inside("client"), ...argv]);
  }
}

async function startApplication(processes: Processes, link: Link, directory: string): Promise<Started> {
  const home = `${directory}/application`;
  Deno.mkdirSync(home);
  const endless = Deno.createSync(`${home}${ENDLESS_PATH}`);
  endless.truncateSync(ENDLESS_BYTES);
  endless.close();
  Deno.writeTextFileSync(`${home}/nginx.conf`, applicationConfig(link, home));
  const inside = link.inside("server");
  const nginx = processes.start("application", [
    ...[...inside, "nginx", "-p", home, "-e", `${home}/error.log`, "-c", `${home}/nginx.conf`],
  ]);
  const address = link.addresses.server;
  const iperf = processes.start("iperf3", [...inside, "iperf3", "-s", "-B", address, "-p", `${BULK_PORT}`]);
  await waitForPorts(nginx, [HTTP_PORT], START_MILLIS);
  await waitForPorts(iperf, [BULK_PORT], START_MILLIS);
  return nginx;
}

async function findEntry(kind: ProxyUnderTest, processes: Processes, link: Link): Promise<Target> {
  const server = link.addresses.server;
  if (link.kind === "namespaces" || kind.entry === "none") return { host: server, http: HTTP_PORT, bulk: BULK_PORT };
  if (kind.entry === "redirect-each") {
    return { host: "127.0.0.1", http: STREAM_PORTS[0].client, bulk: STREAM_PORTS[1].client };
  }
  const http = await startRelay(processes, 18080, `${server}:${HTTP_PORT}`);
  return { host: "127.0.0.1", http, bulk: await startRelay(processes, 18201, `${server}:${BULK_PORT}`) };
}

/** The load generators do not support SOCKS, so a relay does it for them. */
async function startRelay(processes: Processes, port: number, to: string): Promise<number> {
  const relay = processes.start("relay", script("socks_relay.ts", `${port}`, `${SOCKS_PORT}`, to));
  await waitForPorts(relay, [port], START_MILLIS);
  return port;
}
