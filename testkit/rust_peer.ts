/**
 * Two nodes on one machine (`lab/bed/`), one with our proxy and one with a Rust ztunnel. Both have the same CA, and
 * read the mesh from files (`rust_peer_mesh.ts`).
 */
import type { OutgoingHttpHeaders } from "node:http2";
import { parseSample, type Sample } from "../lab/scrape.ts";
import { type ScriptedCa, WORKLOAD_ROOT } from "../src/authorities/testkit/istio_ca.ts";
import { type BedNode, type BedPod, Cluster } from "../lab/bed/cluster.ts";
import { HTTP, identityOf } from "../lab/bed/mesh.ts";
import { credential } from "./credentials.ts";
import type { Needs } from "../lab/needs.ts";
import { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { caSettings, RELAY, serveCa } from "./rust_peer_ca.ts";
import { type PodName, PODS, writeMesh } from "./rust_peer_mesh.ts";

/** What these tests need. */
export const PEER_NEEDS: Needs = {
  namespaces: true,
  env: ["ZTUNNEL_PEER"],
  packages: ["curl", "iptables", "nc", "nginx", "openssl"],
};
/** Port of `tcp_app.ts`. */
export const APP_PORT = 7000;
export const HBONE = 15008;

const RUST = Deno.env.get("ZTUNNEL_PEER");

/** Which node runs which proxy. */
interface Direction {
  /** Description for the test's name. */
  readonly title: string;
  /** Number of the node where the Rust ztunnel runs; the other one is ours. */
  readonly rust: 1 | 2;
}

/** Connections go from node 1 to node 2. */
export const DIRECTIONS: readonly Direction[] = [
  { title: "ours calls the Rust ztunnel", rust: 2 },
  { title: "the Rust ztunnel calls ours", rust: 1 },
];

/** Headers of the response to a CONNECT. */
interface ConnectAnswer {
  readonly status: unknown;
  readonly baggage: unknown;
}

/** Paths of the proxies that are not ours, by the number of their node. */
type Executables = Map<number, string | undefined>;

/** The running nodes. */
export class PeerBed implements AsyncDisposable {
  readonly #executables: Executables;

  private constructor(readonly cluster: Cluster, readonly ca: ScriptedCa, executables: Executables) {
    this.#executables = executables;
  }

  /** Starts everything. `env`: additional environment variables of both proxies. */
  static async build({ rust }: Direction, env: Readonly<Record<string, string>> = {}): Promise<PeerBed> {
    await cacheProgram(RELAY, APP, CLIENT, ANSWERS, CROWD, CONNECTOR);
    const executables: Executables = new Map([[rust, RUST]]);
    const started = Promise.withResolvers<ScriptedCa>();
    const cluster = await Cluster.build({
      pods: PODS,
      env,
      executable: (node) => executables.get(node),
      async prepare(cluster) {
        started.resolve(await serveCa(cluster));
        return (node) => settingsOf(cluster, node);
      },
    });
    return new PeerBed(cluster, await started.promise, executables);
  }

  /** The pod of this name. */
  pod(name: PodName): BedPod {
    return this.cluster.pod(name);
  }

  /** The node of the clients. */
  get near(): BedNode {
    return this.cluster.nodes[0]!;
  }

  /** The node of the servers. */
  get far(): BedNode {
    return this.cluster.nodes[1]!;
  }

  /** Starts another proxy for the node, a Rust ztunnel or ours. Returns the previous one, which still runs. */
  async replace(node: BedNode, rust: boolean): Promise<Proxy> {
    const { proxy, wired: { number } } = node;
    this.#executables.set(number, rust ? RUST : undefined);
    await this.cluster.startProxy(node, settingsOf(this.cluster, node));
    return proxy;
  }

  /** Starts `tcp_app.ts` in a pod. */
  async app(pod: BedPod): Promise<Program> {
    const app = this.#fixture(APP, pod, "::", `${APP_PORT}`);
    await app.line(/listening/);
    return app;
  }

  /** Runs `tcp_client.ts` with this command and returns its output. */
  async call(from: BedPod, to: BedPod, command: string): Promise<string> {
    await using program = Proxy.fixture(CLIENT, [to.ip, `${APP_PORT}`, command], from.namespace.name);
    return (await program.ended()).output;
  }

  /** Opens a connection that stays open until the other side closes it; then the program prints how. On SIGUSR2 it resets. */
  async hold(from: BedPod, to: BedPod): Promise<Program> {
    const program = this.#fixture(CLIENT, from, to.ip, `${APP_PORT}`, "hold", "hold");
    await program.line(/connected/);
    return program;
  }

  /** Starts `crowd.ts` and waits until all its connections are open. */
  async crowd(from: BedPod, to: BedPod, count: number, bytes: number): Promise<Program> {
    const program = this.#fixture(CROWD, from, to.ip, `${APP_PORT}`, `${count}`, `${bytes}`);
    await program.line(/all open/);
    return program;
  }

  /** Starts `connector.ts`: `lanes` concurrent sequences of connections to nginx. */
  connector(from: BedPod, to: BedPod, lanes: number): Program {
    return this.#fixture(CONNECTOR, from, to.ip, `${HTTP}`, `${lanes}`);
  }

  /** Sends CONNECT requests from outside of the mesh to a pod's HBONE port, with the identity of another pod. */
  async answers(to: BedPod, as: PodName, requests: readonly OutgoingHttpHeaders[]): Promise<ConnectAnswer[]> {
    const { cert, key } = credential(WORKLOAD_ROOT, identityOf(as));
    const files = Object.entries({ cert, key }).map(([name, pem]) => {
      const path = `${this.cluster.folder}/${as}.${name}`;
      Deno.writeTextFileSync(path, pem);
      return path;
    });
    const args = [to.ip, `${HBONE}`, ...files, JSON.stringify(requests)];
    await using program = Proxy.fixture(ANSWERS, args, this.cluster.outside.namespace.name);
    const answers: readonly Readonly<Record<string, unknown>>[] = JSON.parse((await program.ended()).output);
    return answers.map(({ ":status": status, baggage = null }) => ({ status, baggage }));
  }

  /** All metrics of a node's proxy. */
  async samples({ namespace, proxy }: BedNode): Promise<Sample[]> {
    const text = await namespace.run("curl", "-sS", await proxy.url("stats", "/metrics"));
    return text.split("\n").map(parseSample).filter((sample) => sample !== null);
  }

  /** Number of connections from one pod to the other's HBONE port. */
  async hboneConnections(from: BedPod, to: BedPod): Promise<number> {
    const output = await from.namespace.run("ss", "-Htn", "state", "established", "dst", `${to.ip}:${HBONE}`);
    return output.split("\n").filter((line) => line !== "").length;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }

  #fixture(program: string, pod: BedPod, ...args: readonly string[]): Program {
    return this.cluster.use(Proxy.fixture(program, args, pod.namespace.name));
  }
}

const APP = "tests/fixtures/tcp_app.ts", CLIENT = "tests/fixtures/tcp_client.ts";
const CROWD = "tests/fixtures/crowd.ts", CONNECTOR = "tests/fixtures/connector.ts";
const ANSWERS = "tests/fixtures/connect_answers.ts";

function settingsOf(cluster: Cluster, node: BedNode): Record<string, string> {
  return { ...caSettings(cluster), LOCAL_XDS_PATH: writeMesh(cluster, node) };
}

/** Stops `connector.ts` and returns its totals: complete connections, and failures by reason. */
export async function outcome(connector: Program): Promise<{ whole: number; failures: Record<string, number> }> {
  connector.signal("SIGUSR2");
  const [, json = ""] = await connector.line(/^(\{.*\})$/);
  return JSON.parse(json);
}
