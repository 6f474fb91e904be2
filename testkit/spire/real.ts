/**
 * Runs a real SPIRE server and agent without Kubernetes (`docs/spec/real-peers-spire.md`). They are built by
 * `tools/build_spire.sh`, which `deno task interop:spire` runs first.
 */
import { existsSync, mkdirSync } from "node:fs";
import { eventually } from "../../lab/eventually.ts";
import { lacks, type Needs, plan } from "../../lab/needs.ts";
import { Program, run } from "../../lab/program.ts";
import { type TempDir, tempDir } from "../../lab/temp_dir.ts";

const VERSION = "1.13.3";
/** The first minor version with the Broker API; its agent works with the older server. */
export const BROKER_VERSION = "1.15.3";

/** Returns the folder with the programs of a version. */
function spirePrograms(version: string): string {
  const cache = Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME") ?? "/root"}/.cache`;
  return `${cache}/ztunnel-build/spire-${version}`;
}

/** Registers a test that runs where SPIRE has been built. It needs root, as workloads are distinguished by their uid. */
export function testWithSpire(needs: Needs, name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  const missing = lacks({ root: true, packages: ["setpriv"], ...needs });
  if (
    !existsSync(`${spirePrograms(VERSION)}/spire-server`) || !existsSync(`${spirePrograms(BROKER_VERSION)}/spire-agent`)
  ) {
    const noGo = lacks({ go: true });
    const cure = "deno task interop:spire builds it";
    missing.push(...noGo.length > 0 ? noGo : [{ reason: "SPIRE is not built", cure, duty: false }]);
  }
  Deno.test(plan(missing, name, fn, Deno.env.get("CI") === "true"));
}

/** Settings of server and agent. */
interface SpireOptions {
  readonly trustDomain?: string;
  /** The default lifetime of X509-SVIDs, such as `60s`. */
  readonly ttl?: string;
  /** The version of the agent; the server always has {@link VERSION}. */
  readonly agentVersion?: string;
  /** The path of the authorized delegate; default {@link DELEGATE}. */
  readonly delegate?: string;
  /** SPIFFE ids that may use the Broker API. */
  readonly brokers?: readonly string[];
  /** The agent reports `unix:path` selectors too. */
  readonly findsPaths?: boolean;
}

/** A registration entry. */
interface SpireEntry {
  /** `/ns/default/sa/app` */
  readonly path: string;
  readonly selectors: readonly string[];
  /** Seconds. */
  readonly ttl?: number;
  readonly federatesWith?: readonly string[];
}

/** The path of the delegate, which has an entry for processes of root from the start. */
export const DELEGATE = "/ztunnel";
/** The alias of all agents. */
const AGENTS = "/ns/spire/sa/spire-agent";

/** A server and an agent. */
export class RealSpire implements AsyncDisposable {
  readonly trustDomain: string;
  readonly #options: SpireOptions;
  readonly #folder: TempDir = tempDir("sp-");
  /** A loopback address of this server alone, so that its port is free, also after a restart. */
  readonly #address = `127.77.${1 + Math.floor(Math.random() * 250)}.${1 + Math.floor(Math.random() * 250)}`;
  #server: Program | null = null;
  #agent: Program | null = null;

  private constructor(options: SpireOptions) {
    this.#options = options;
    this.trustDomain = options.trustDomain ?? "cluster.local";
    for (const folder of ["server/data", "agent/data", "agent/public", "agent/private", "agent/broker"]) {
      mkdirSync(`${this.#folder.path}/${folder}`, { recursive: true });
    }
    this.#folder.write("server/server.conf", this.#serverConfig());
    this.#folder.write("agent/agent.conf", this.#agentConfig());
  }

  /** Starts both and adds the entry of {@link DELEGATE}. */
  static async start(options: SpireOptions = {}): Promise<RealSpire> {
    const spire = new RealSpire(options);
    try {
      await spire.startServer();
      await Deno.writeTextFile(`${spire.#folder.path}/bootstrap.pem`, await spire.#operate("bundle", "show"));
      const token = await spire.#operate("token", "generate", "-spiffeID", spire.id(AGENTS), "-ttl", "600");
      await spire.startAgent(/Token: (\S+)/.exec(token)![1]!);
      await spire.addEntry({ path: DELEGATE, selectors: ["unix:uid:0"] });
      return spire;
    } catch (error) {
      await spire[Symbol.asyncDispose]();
      throw error;
    }
  }

  id(path: string): string {
    return `spiffe://${this.trustDomain}${path}`;
  }

  get adminSocket(): string {
    return `${this.#folder.path}/agent/private/admin.sock`;
  }

  get workloadSocket(): string {
    return `${this.#folder.path}/agent/public/api.sock`;
  }

  get brokerSocket(): string {
    return `${this.#folder.path}/agent/broker/broker.sock`;
  }

  /** The lines of the agent's log so far. */
  get agentLog(): readonly string[] {
    return this.#agent?.printed ?? [];
  }

  async startServer(): Promise<void> {
    const program = `${spirePrograms(VERSION)}/spire-server`;
    this.#server = new Program(program, { args: ["run", "-config", `${this.#folder.path}/server/server.conf`] });
    await eventually(
      "a healthy SPIRE server",
      () => succeeds(program, "healthcheck", ...this.#serverSocket()),
      () => this.#lastLines(),
    );
  }

  async stopServer(): Promise<void> {
    await this.#server?.stop();
    this.#server = null;
  }

  /** Starts the agent. `token`: for its first start only. */
  async startAgent(token?: string): Promise<void> {
    const program = `${spirePrograms(this.#options.agentVersion ?? VERSION)}/spire-agent`;
    const joining = token === undefined ? [] : ["-joinToken", token];
    this.#agent = new Program(program, {
      args: ["run", "-config", `${this.#folder.path}/agent/agent.conf`, ...joining],
    });
    const healthy = () => succeeds(program, "healthcheck", "-socketPath", this.workloadSocket);
    await eventually("a healthy SPIRE agent", healthy, () => this.#lastLines());
  }

  async stopAgent(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    await this.#agent?.stop(signal);
    this.#agent = null;
  }

  /** Adds an entry; returns its id. */
  async addEntry({ path, selectors, ttl, federatesWith = [] }: SpireEntry): Promise<string> {
    const created = await this.#operate(
      "entry",
      "create",
      ...["-parentID", this.id(AGENTS), "-spiffeID", this.id(path)],
      ...selectors.flatMap((selector) => ["-selector", selector]),
      ...ttl === undefined ? [] : ["-x509SVIDTTL", String(ttl)],
      ...federatesWith.flatMap((trustDomain) => ["-federatesWith", `spiffe://${trustDomain}`]),
    );
    return /Entry ID\s*: (\S+)/.exec(created)![1]!;
  }

  /** Adds an entry for namespace and service account. */
  addAccount(namespace: string, account: string, options: Partial<SpireEntry> = {}): Promise<string> {
    const selectors = [`k8s:ns:${namespace}`, `k8s:sa:${account}`];
    return this.addEntry({ path: `/ns/${namespace}/sa/${account}`, selectors, ...options });
  }

  /** Runs a command of the server: `spire-server entry create -parentID ...`. */
  async operate(command: string): Promise<string> {
    const [program, ...words] = command.split(" ");
    if (program !== "spire-server") throw new Error(`not a command of the server: ${command}`);
    return await this.#operate(...words);
  }

  async deleteEntry(entryId: string): Promise<void> {
    await this.#operate("entry", "delete", "-entryID", entryId);
  }

  /** Returns the ids of all entries for a path. */
  async entries(path: string): Promise<string[]> {
    const { entries } = JSON.parse(await this.#operate("entry", "show", "-spiffeID", this.id(path), "-output", "json"));
    return (entries as { id: string }[]).map(({ id }) => id);
  }

  /** Returns the bundle of this trust domain, for another one. */
  bundle(): Promise<string> {
    return this.#operate("bundle", "show", "-format", "spiffe");
  }

  async federate(trustDomain: string, bundle: string): Promise<void> {
    const file = this.#folder.write("foreign.json", bundle);
    await this.#operate("bundle", "set", "-format", "spiffe", "-id", `spiffe://${trustDomain}`, "-path", file);
  }

  /** Adds a new root beside the current one; both are trusted until the old one is tainted. Returns its id. */
  async prepareRoot(): Promise<string> {
    const prepared = JSON.parse(await this.#operate("localauthority", "x509", "prepare", "-output", "json"));
    return prepared.prepared_authority.authority_id;
  }

  async activateRoot(authority: string): Promise<string> {
    const shown = JSON.parse(await this.#operate("localauthority", "x509", "show", "-output", "json"));
    await this.#operate("localauthority", "x509", "activate", "-authorityID", authority);
    return shown.active.authority_id;
  }

  async taintRoot(authority: string): Promise<void> {
    await this.#operate("localauthority", "x509", "taint", "-authorityID", authority);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.[Symbol.asyncDispose]();
    await this.#server?.[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }

  #serverSocket(): string[] {
    return ["-socketPath", `${this.#folder.path}/server/api.sock`];
  }

  #operate(...words: readonly string[]): Promise<string> {
    return run(`${spirePrograms(VERSION)}/spire-server`, ...words, ...this.#serverSocket());
  }

  #lastLines(): string {
    return [...this.#server?.printed ?? [], ...this.#agent?.printed ?? []].slice(-20).join("\n");
  }

  #serverConfig(): string {
    const folder = `${this.#folder.path}/server`;
    return `
server {
  bind_address = "${this.#address}"
  bind_port = "8081"
  socket_path = "${folder}/api.sock"
  data_dir = "${folder}/data"
  trust_domain = "${this.trustDomain}"
  ca_ttl = "2h"
  default_x509_svid_ttl = "${this.#options.ttl ?? "10m"}"
  default_jwt_svid_ttl = "60s"
  agent_ttl = "1h"
  ratelimit { attestation = false signing = false }
  experimental { cache_reload_interval = "1s" }
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "${folder}/data/db.sqlite3" } }
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { keys_path = "${folder}/data/keys.json" } }
}
`;
  }

  #agentConfig(): string {
    const folder = `${this.#folder.path}/agent`;
    return `
agent {
  data_dir = "${folder}/data"
  server_address = "${this.#address}"
  server_port = "8081"
  socket_path = "${this.workloadSocket}"
  admin_socket_path = "${this.adminSocket}"
  trust_domain = "${this.trustDomain}"
  trust_bundle_path = "${this.#folder.path}/bootstrap.pem"
  authorized_delegates = [ "${this.id(this.#options.delegate ?? DELEGATE)}" ]
  experimental { sync_interval = "1s" ${this.#brokerConfig()} }
}
plugins {
  NodeAttestor "join_token" { plugin_data {} }
  KeyManager "disk" { plugin_data { directory = "${folder}/data" } }
  WorkloadAttestor "unix" { plugin_data {${
      this.#options.findsPaths ? " discover_workload_path = true workload_size_limit = -1 " : ""
    }} }
}
`;
  }

  #brokerConfig(): string {
    const { brokers = [] } = this.#options;
    if (brokers.length === 0) return "";
    const type = "type.googleapis.com/spiffe.broker.WorkloadPIDReference";
    const list = brokers.map((id) => `{ id = "${id}" allowed_reference_types = [ { type_url = "${type}" } ] }`);
    return `broker { socket_path = "${this.brokerSocket}" brokers = [ ${list.join(", ")} ] }`;
  }
}

async function succeeds(command: string, ...args: readonly string[]): Promise<boolean> {
  const { success } = await new Deno.Command(command, { args: [...args], stdout: "null", stderr: "null" }).output();
  return success;
}
