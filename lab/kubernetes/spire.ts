/** A real SPIRE in a cluster: the server beside the control plane, its agent on each node, which attest by Kubernetes. */
import { eventually } from "../eventually.ts";
import { Program } from "../program.ts";
import { builtPrograms } from "./built.ts";
import type { KubernetesCluster } from "./cluster.ts";

const HERE = new URL(".", import.meta.url).pathname;
const ENTRIES = new URL("../../deploy/spire/entries.sh", import.meta.url).pathname;
const NAMESPACE = "spire";
/** What all agents have as a second id. */
const AGENTS = "spiffe://cluster.local/ns/spire/sa/spire-agent";

/** The server and the agents. */
export class ClusterSpire {
  readonly #cluster: KubernetesCluster;
  readonly #program = builtPrograms("spire-1.13.3/spire-server");
  readonly #folder: string;
  #server: Program | null = null;

  private constructor(cluster: KubernetesCluster) {
    this.#cluster = cluster;
    this.#folder = `${cluster.folder}/spire`;
  }

  /** Starts both and registers the proxy and the accounts (`NAMESPACE/ACCOUNT`); resolves when the agents run. */
  static async start(cluster: KubernetesCluster, ...accounts: readonly string[]): Promise<ClusterSpire> {
    const spire = new ClusterSpire(cluster);
    Deno.mkdirSync(spire.#folder);
    Deno.writeTextFileSync(`${spire.#folder}/server.conf`, spire.#serverConfig());
    await spire.startServer();
    await spire.#register(accounts);
    await cluster.loadImages("lab_spire-agent_1");
    await cluster.applyFile(`${HERE}manifests/spire_agent.yaml`);
    await cluster.rolledOut(NAMESPACE, "daemonset/spire-agent");
    return spire;
  }

  /** Starts the server, or starts it again with the data of the one before. */
  async startServer(): Promise<void> {
    this.#server = this.#cluster.runOnControlPlane(this.#program, "run", "-config", `${this.#folder}/server.conf`);
    await eventually("a healthy SPIRE server", () => this.#operate("healthcheck").then(() => true, () => false));
  }

  async stopServer(): Promise<void> {
    await this.#server?.stop();
    this.#server = null;
  }

  /** Replaces the agents on all nodes. */
  async restartAgents(): Promise<void> {
    await this.#cluster.kubectl("-n", NAMESPACE, "rollout", "restart", "daemonset/spire-agent");
    await this.#cluster.rolledOut(NAMESPACE, "daemonset/spire-agent");
  }

  /** The agents' alias, the proxy, and the accounts. */
  async #register(accounts: readonly string[]): Promise<void> {
    await this.#operate("entry", "create", "-node", "-spiffeID", AGENTS, "-selector", "k8s_psat:cluster:lab");
    const env = [`SPIRE_SERVER=${this.#folder}/operate`, `PATH=${Deno.env.get("PATH")}`];
    Deno.writeTextFileSync(
      `${this.#folder}/operate`,
      `#!/bin/sh\nexec "${this.#program}" "$@" -socketPath ${this.#socket}\n`,
      {
        mode: 0o700,
      },
    );
    await this.#cluster.onControlPlane("env", ...env, ENTRIES, "istio", ...accounts);
  }

  #operate(...args: readonly string[]): Promise<string> {
    return this.#cluster.onControlPlane(this.#program, ...args, "-socketPath", this.#socket);
  }

  get #socket(): string {
    return `${this.#folder}/server.sock`;
  }

  #serverConfig(): string {
    const { folder, kubeconfig } = this.#cluster;
    return `
server {
  bind_address = "10.66.0.1"
  bind_port = "8081"
  trust_domain = "cluster.local"
  data_dir = "${folder}/spire"
  socket_path = "${this.#socket}"
  default_x509_svid_ttl = "10m"
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "${folder}/spire/data.sqlite3" } }
  KeyManager "disk" { plugin_data { keys_path = "${folder}/spire/keys.json" } }
  NodeAttestor "k8s_psat" {
    plugin_data {
      clusters = { "lab" = { service_account_allow_list = ["spire:spire-agent"] kube_config_file = "${kubeconfig}" } }
    }
  }
}
`;
  }
}
