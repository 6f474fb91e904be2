/**
 * Two nodes on one machine (`lab/bed/`), each in a network of its own: connections from node 1 to node 2 pass an
 * east-west gateway. The gateway is a fixture on Node's TLS and HTTP/2, either proxy may be a Rust ztunnel, and all of
 * them use one CA.
 *
 *     client ── proxy 1 ══outer══▶ gateway ──inner, unchanged─▶ proxy 2 ── server
 *      north                                                              south
 */
import { parseSample, type Sample } from "../lab/scrape.ts";
import { WORKLOAD_ROOT } from "../src/authorities/testkit/istio_ca.ts";
import { encodePem } from "../src/identity/pem.ts";
import { type BedNode, type BedPod, Cluster } from "../lab/bed/cluster.ts";
import { identityOf, NAMESPACE, SERVICE } from "../lab/bed/mesh.ts";
import { credential } from "./credentials.ts";
import type { Needs } from "../lab/needs.ts";
import type { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { caSettings, RELAY, serveCa } from "./rust_peer_ca.ts";
import { asYaml, labelsOf } from "./rust_peer_mesh.ts";

/** What these tests need. */
export const NEEDS: Needs = { namespaces: true, packages: ["curl", "iptables", "nc", "nginx", "openssl"] };
/** Port of `tcp_app.ts`. */
export const APP_PORT = 7000;
/** The port of services that leads to `tcp_app.ts`. */
export const APP_SERVICE_PORT = 70;
/** A service of the server whose SANs contain only {@link OTHER_IDENTITY}. */
export const WRONG_SANS = { hostname: "wrong.bed.svc.cluster.local", ip: "10.96.0.11" } as const;
/** A service of the server without SANs. */
export const WITHOUT_SANS = { hostname: "nameless.bed.svc.cluster.local", ip: "10.96.0.12" } as const;
/** The identity that node 1 expects for {@link WRONG_SANS}. */
export const OTHER_IDENTITY = identityOf("another");

const PODS = [{ name: "client", node: 1 }, { name: "server", node: 2 }] as const;
const PORT = 15008;
const NETWORKS = ["north", "south"] as const;
const GATEWAY = "tests/fixtures/east_west_gateway.ts";
const APP = "tests/fixtures/tcp_app.ts", CLIENT = "tests/fixtures/tcp_client.ts", CROWD = "tests/fixtures/crowd.ts";

/** Executables of the proxies by the number of their node; missing: ours. */
type Executables = Readonly<Partial<Record<1 | 2, string>>>;

/** The running nodes and the gateway. */
export class TwoNetworksBed implements AsyncDisposable {
  private constructor(readonly cluster: Cluster, readonly gateway: Program) {}

  /** Starts everything. `env`: variables for both proxies. */
  static async build(
    executables: Executables = {},
    env: Readonly<Record<string, string>> = {},
  ): Promise<TwoNetworksBed> {
    await cacheProgram(RELAY, APP, CLIENT, CROWD, GATEWAY);
    const started = Promise.withResolvers<Program>();
    const cluster = await Cluster.build({
      pods: PODS,
      env,
      executable: (node) => executables[node as 1 | 2],
      async prepare(cluster) {
        await serveCa(cluster);
        started.resolve(await startGateway(cluster));
        return (node) => ({
          ...caSettings(cluster),
          NETWORK: networkOf(node),
          LOCAL_XDS_PATH: writeMesh(cluster, node),
          RUST_LOG: "info,access=debug",
        });
      },
    });
    return new TwoNetworksBed(cluster, await started.promise);
  }

  /** The pod `client`. */
  get client(): BedPod {
    return this.cluster.pod("client");
  }

  /** The pod `server`. */
  get server(): BedPod {
    return this.cluster.pod("server");
  }

  /** The node of the client. */
  get near(): BedNode {
    return this.cluster.nodes[0]!;
  }

  /** The node of the server. */
  get far(): BedNode {
    return this.cluster.nodes[1]!;
  }

  /** The gateway's address, which is also the source address of connections at the server. */
  get gatewayIp(): string {
    return this.cluster.outside.ip;
  }

  /** Headers of the requests that the gateway has received so far. */
  get gatewayRequests(): Record<string, string>[] {
    return this.gateway.printed.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** Starts `tcp_app.ts` in the server's pod. */
  async app(): Promise<Program> {
    const app = this.#fixture(APP, this.server, "::", `${APP_PORT}`);
    await app.line(/listening/);
    return app;
  }

  /** Runs `tcp_client.ts` with this command and returns its output. */
  async call(command: string): Promise<string> {
    const args = [SERVICE.ip, `${APP_SERVICE_PORT}`, command];
    await using program = Proxy.fixture(CLIENT, args, this.client.namespace.name);
    return (await program.ended()).output;
  }

  /** Opens a connection that stays open until the other side closes it. On SIGUSR2 it resets. */
  async hold(): Promise<Program> {
    const program = this.#fixture(CLIENT, this.client, SERVICE.ip, `${APP_SERVICE_PORT}`, "hold", "hold");
    await program.line(/connected/);
    return program;
  }

  /** Starts `crowd.ts` and waits until all its connections are open. */
  async crowd(count: number, bytes: number): Promise<Program> {
    const program = this.#fixture(CROWD, this.client, SERVICE.ip, `${APP_SERVICE_PORT}`, `${count}`, `${bytes}`);
    await program.line(/all open/);
    return program;
  }

  /** Number of connections from the client's pod to the gateway. */
  async hboneConnections(): Promise<number> {
    const { namespace } = this.client;
    const output = await namespace.run("ss", "-Htn", "state", "established", "dst", `${this.gatewayIp}:${PORT}`);
    return output.split("\n").filter((line) => line !== "").length;
  }

  /** All metrics of a node's proxy. */
  async samples({ namespace, proxy }: BedNode): Promise<Sample[]> {
    const text = await namespace.run("curl", "-sS", await proxy.url("stats", "/metrics"));
    return text.split("\n").map(parseSample).filter((sample) => sample !== null);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.cluster[Symbol.asyncDispose]();
  }

  #fixture(program: string, pod: BedPod, ...args: readonly string[]): Program {
    return this.cluster.use(Proxy.fixture(program, args, pod.namespace.name));
  }
}

function networkOf({ wired: { number } }: BedNode): string {
  return NETWORKS[number - 1]!;
}

async function startGateway(cluster: Cluster): Promise<Program> {
  const { cert, key } = credential(WORKLOAD_ROOT, identityOf("gateway"));
  const texts = { cert, key, roots: encodePem("CERTIFICATE", WORKLOAD_ROOT.certificate) };
  const files = Object.entries(texts).map(([name, pem]) => {
    const path = `${cluster.folder}/gateway.${name}`;
    Deno.writeTextFileSync(path, pem);
    return path;
  });
  const target = `${cluster.pod("server").ip}:${PORT}`;
  const ports = [SERVICE.port, APP_SERVICE_PORT];
  const names = [SERVICE, WRONG_SANS, WITHOUT_SANS].flatMap(({ hostname }) =>
    ports.map((port) => `${hostname}:${port}`)
  );
  const targets = JSON.stringify(Object.fromEntries(names.map((name) => [name, target])));
  const { namespace, ip } = cluster.outside;
  const gateway = cluster.use(Proxy.fixture(GATEWAY, [ip, `${PORT}`, ...files, targets], namespace.name));
  await gateway.line(/listening/);
  return gateway;
}

/** Writes the node's mesh as a file for `LOCAL_XDS_PATH`. Returns its path. */
function writeMesh(cluster: Cluster, node: BedNode): string {
  const path = `${cluster.folder}/mesh-${node.name}.json`;
  const own = networkOf(node);
  const ports = { [SERVICE.port]: 8080, [APP_SERVICE_PORT]: APP_PORT };
  const services = [
    { ...SERVICE, sans: [identityOf("server")] },
    { ...WRONG_SANS, sans: [OTHER_IDENTITY] },
    { ...WITHOUT_SANS, sans: [] },
  ].map(({ hostname, ip, sans }) => ({
    name: hostname.split(".")[0],
    namespace: NAMESPACE,
    hostname,
    vips: [`${own}/${ip}`],
    ports,
    subjectAltNames: sans,
  }));
  const workload = (name: string, network: string, ips: readonly string[]) => ({
    uid: `${NAMESPACE}/${name}`,
    name,
    namespace: NAMESPACE,
    serviceAccount: name,
    trustDomain: "cluster.local",
    network,
    workloadIps: ips,
    protocol: "HBONE",
    // Workloads of the other network are on another node.
    node: network === own ? node.name : "elsewhere",
    services: {},
    ...labelsOf(name),
  });
  const server = {
    ...workload("server", "south", own === "south" ? [cluster.pod("server").ip] : []),
    // As from istiod, in both meshes: workloads in the south are reached from other networks through this gateway only.
    networkGateway: { destination: `south/${cluster.outside.ip}`, hboneMtlsPort: PORT },
    services: Object.fromEntries(services.map(({ hostname }) => [`${NAMESPACE}/${hostname}`, ports])),
  };
  const others = own === "north"
    ? [workload("client", "north", [cluster.pod("client").ip]), workload("gateway", "south", [cluster.outside.ip])]
    : [];
  Deno.writeTextFileSync(path, asYaml({ workloads: [server, ...others], services, policies: [] }));
  return path;
}
