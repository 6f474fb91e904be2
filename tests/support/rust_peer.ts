/**
 * Two nodes on one machine (`tests/bed/`), one with our proxy and one with a Rust ztunnel, whose certificates come from
 * one CA and whose mesh from files.
 *
 *     node 1: client, other          node 2: server, guarded, impostor          outside: the CA
 *
 * `guarded` may be called by `client` alone. Node 1 believes that `impostor` is `trusted`.
 */
import type { ScriptedCa } from "../../src/authorities/istio/testing_ca.ts";
import { type BedNode, type BedPod, Cluster } from "../bed/cluster.ts";
import { identityOf, NAMESPACE } from "../bed/mesh.ts";
import type { Needs } from "./needs.ts";
import { Program } from "./program.ts";
import { cacheProgram, Proxy } from "./proxy.ts";
import { caSettings, RELAY, serveCa } from "./rust_peer_ca.ts";

export const PEER_NEEDS: Needs = { namespaces: true, env: ["ZTUNNEL_PEER"], packages: ["curl", "iptables", "nginx"] };
export const APP_PORT = 7000;
/** Whose identity node 1 expects of the pod `impostor`. */
export const TRUSTED = "trusted";

const PODS = [
  { name: "client", node: 1 },
  { name: "other", node: 1 },
  { name: "server", node: 2, serves: true },
  { name: "guarded", node: 2 },
  { name: "impostor", node: 2 },
] as const;
type PodName = typeof PODS[number]["name"];

export interface Direction {
  readonly who: string;
  /** Number of the node where the Rust ztunnel runs; the other one is ours. */
  readonly rust: 1 | 2;
}

/** Connections go from node 1 to node 2. */
export const DIRECTIONS: readonly Direction[] = [
  { who: "ours calls the Rust ztunnel", rust: 2 },
  { who: "the Rust ztunnel calls ours", rust: 1 },
];

export class PeerBed implements AsyncDisposable {
  private constructor(readonly cluster: Cluster, readonly ca: ScriptedCa) {}

  /** `env`: added to both proxies'. */
  static async build({ rust }: Direction, env: Readonly<Record<string, string>> = {}): Promise<PeerBed> {
    await cacheProgram(RELAY, APP, CLIENT, CROWD, CONNECTOR);
    const peer = Deno.env.get("ZTUNNEL_PEER");
    const executable = (node: number) => node === rust ? peer : undefined;
    const started = Promise.withResolvers<ScriptedCa>();
    const cluster = await Cluster.build({
      pods: PODS,
      env,
      executable,
      async prepare(cluster) {
        started.resolve(await serveCa(cluster));
        return (node) => settingsOf(cluster, node);
      },
    });
    return new PeerBed(cluster, await started.promise);
  }

  pod(name: PodName): BedPod {
    return this.cluster.pod(name);
  }

  get near(): BedNode {
    return this.cluster.nodes[0]!;
  }

  get far(): BedNode {
    return this.cluster.nodes[1]!;
  }

  /** `tcp_app.ts` in a pod. */
  async app(pod: BedPod): Promise<Program> {
    const app = this.#fixture(APP, pod, "::", `${APP_PORT}`);
    await app.line(/listening/);
    return app;
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

function settingsOf(cluster: Cluster, node: BedNode): Record<string, string> {
  const path = `${cluster.folder}/mesh-${node.name}.json`;
  const mesh = JSON.parse(Deno.readTextFileSync(`${cluster.folder}/mesh.json`));
  const workload = (name: PodName) => mesh.workloads.find((each: { name: string }) => each.name === name);
  workload("guarded").authorizationPolicies.push(`${NAMESPACE}/only-client`);
  mesh.policies.push({
    name: "only-client",
    namespace: NAMESPACE,
    scope: "WorkloadSelector",
    action: "Allow",
    dryRun: false,
    rules: [[[{ principals: [{ Exact: identityOf("client").replace("spiffe://", "") }] }]]],
  });
  if (node.wired.number === 1) workload("impostor").serviceAccount = TRUSTED;
  Deno.writeTextFileSync(path, asYaml(mesh));
  return { ...caSettings(cluster), LOCAL_XDS_PATH: path };
}

/** JSON is YAML, but that ztunnel wants ports to be numbers, and a tag where a string is matched. */
function asYaml(mesh: unknown): string {
  return JSON.stringify(mesh)
    .replace(/"(\d+)":/g, "$1: ")
    .replace(/\{"(Exact|Presence)":("[^"]*"|\[\])\}/g, "!$1 $2");
}
