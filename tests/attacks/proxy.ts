/** A proxy as a process of its own, in dedicated mode, for the workload at one loopback address. */
import { readFileSync } from "node:fs";
import { Program } from "../support/program.ts";
import { type TempDir, tempDir } from "../support/temp_dir.ts";
import { Apps } from "./apps.ts";
import { issue } from "./credentials.ts";
import type { Site } from "./peer.ts";

export interface ProxyOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Most descriptors of the process. */
  readonly descriptors?: number;
}

const ATTACKER = "spiffe://cluster.local/ns/default/sa/attacker";
const REPOSITORY = new URL("../../", import.meta.url).pathname;

export class ProxyProcess implements AsyncDisposable {
  private constructor(
    readonly program: Program,
    readonly site: Site,
    readonly apps: Apps,
    readonly pid: number,
    private readonly folder: TempDir,
  ) {}

  static async start(ip: string, options: ProxyOptions = {}): Promise<ProxyProcess> {
    await using stack = new AsyncDisposableStack();
    const folder = stack.use(tempDir());
    const apps = stack.use(await Apps.start(ip));
    folder.write("mesh.yaml", meshFile(ip));
    const program = stack.use(startProgram(folder.path, ip, options));
    const port = Number((await program.line(/listener established.*:(\d+).*component="inbound"/))[1]);
    await program.line(/Readiness|readiness.*complete|ready/i);
    const credentials = await issue(`${folder.path}/ca.pem`, `${folder.path}/ca.key`, ATTACKER);
    const proxy = new ProxyProcess(program, { host: ip, port, credentials }, apps, program.pid, folder);
    stack.move();
    return proxy;
  }

  /** `ip:port` of an application, as a CONNECT wants it. */
  authority(app: keyof Apps["ports"]): string {
    return `${this.site.host}:${this.apps.ports[app]}`;
  }

  /** RSS in bytes. */
  memory(): number {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, "latin1"))?.[1]) * 1024;
  }

  descriptors(): number {
    return [...Deno.readDirSync(`/proc/${this.pid}/fd`)].length;
  }

  /** CPU time used so far, in ms. */
  cpu(): number {
    const [, fields = ""] = /\) (.*)/.exec(readFileSync(`/proc/${this.pid}/stat`, "latin1")) ?? [];
    const [user, system] = fields.split(" ").slice(11, 13).map(Number);
    return ((user ?? NaN) + (system ?? NaN)) * 10;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.program[Symbol.asyncDispose]();
    await this.apps[Symbol.asyncDispose]();
    this.folder[Symbol.dispose]();
  }
}

function startProgram(folder: string, ip: string, { env, descriptors }: ProxyOptions): Program {
  const limit = descriptors === undefined ? "" : `ulimit -n ${descriptors}; `;
  const deno = `exec "${Deno.execPath()}" run -A --no-prompt --v8-flags=--max-semi-space-size=1 src/main.ts`;
  return new Program("sh", {
    args: ["-c", `${limit}${deno}`],
    cwd: REPOSITORY,
    env: { ...cacheVariables(), ...settings(folder, ip), ...env },
  });
}

function cacheVariables(): Record<string, string> {
  const wanted = /^(XDG_CACHE_HOME|DENO_DIR|TLS_LIBRARY|NPM_CONFIG_REGISTRY|(https?|no)_proxy)$/i;
  return Object.fromEntries(Object.entries(Deno.env.toObject()).filter(([name]) => wanted.test(name)));
}

function settings(folder: string, ip: string): Record<string, string> {
  return {
    PROXY_MODE: "dedicated",
    PROXY_WORKLOAD_INFO: "default/server/server",
    NODE_NAME: "node",
    BIND_ADDRESS: ip,
    IPV6_ENABLED: "false",
    ENABLE_ORIG_SRC: "false",
    ISTIO_META_DNS_CAPTURE: "false",
    XDS_ADDRESS: "",
    LOCAL_XDS_PATH: `${folder}/mesh.yaml`,
    FAKE_CA: "true",
    LOCAL_CA_CERT: `${folder}/ca.pem`,
    LOCAL_CA_KEY: `${folder}/ca.key`,
    INBOUND_PORT: "0",
    OUTBOUND_PORT: "0",
    INBOUND_PLAINTEXT_PORT: "0",
    ADMIN_PORT: "0",
    STATS_PORT: "0",
    READINESS_PORT: "0",
    ZTUNNEL_WORKER_THREADS: "1",
    RUST_LOG: "info",
  };
}

function meshFile(ip: string): string {
  return `workloads:
  - uid: cluster1//Pod/default/server
    name: server
    namespace: default
    serviceAccount: server
    trustDomain: cluster.local
    workloadIps: [${ip}]
    protocol: HBONE
    node: node
    network: ""
    services: {}
policies: []
services: []
`;
}
