/**
 * Two nodes on one machine (`lab/bed/`), each on a network of its own: what node 1 calls on node 2 goes through an
 * east-west gateway, which stands outside. The gateway is the runtime's own TLS and HTTP/2, either proxy may be a Rust
 * ztunnel, and one CA serves all.
 *
 *     client ── proxy 1 ══outer══▶ gateway ──inner, as it is──▶ proxy 2 ── server
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

export const NEEDS: Needs = { namespaces: true, packages: ["curl", "iptables", "nc", "nginx", "openssl"] };
export const APP_PORT = 7000;
/** Of services: where `tcp_app.ts` is reached. */
export const APP_SERVICE_PORT = 70;
/** Its workload is the server, but its SANs name somebody else. */
export const WRONG = { hostname: "wrong.bed.svc.cluster.local", ip: "10.96.0.11" } as const;
/** It has no SANs. */
export const NAMELESS = { hostname: "nameless.bed.svc.cluster.local", ip: "10.96.0.12" } as const;
/** Whom node 1 expects behind {@link WRONG}. */
export const SOMEBODY = identityOf("somebody");

const PODS = [{ name: "client", node: 1 }, { name: "server", node: 2 }] as const;
const PORT = 15008;
const NETWORKS = ["north", "south"] as const;
const GATEWAY = "tests/fixtures/east_west_gateway.ts";
const APP = "tests/fixtures/tcp_app.ts", CLIENT = "tests/fixtures/tcp_client.ts", CROWD = "tests/fixtures/crowd.ts";

/** Executables of the proxies, by the number of their nodes; missing: ours. */
export type Executables = Readonly<Partial<Record<1 | 2, string>>>;

export class TwoNetworksBed implements AsyncDisposable {
  private constructor(readonly cluster: Cluster, readonly gateway: Program) {}

  static async build(executables: Executables = {}): Promise<TwoNetworksBed> {
    await cacheProgram(RELAY, APP, CLIENT, CROWD, GATEWAY);
    const started = Promise.withResolvers<Program>();
    const cluster = await Cluster.build({
      pods: PODS,
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

  get client(): BedPod {
    return this.cluster.pod("client");
  }

  get server(): BedPod {
    return this.cluster.pod("server");
  }

  get near(): BedNode {
    return this.cluster.nodes[0]!;
  }

  get far(): BedNode {
    return this.cluster.nodes[1]!;
  }

  /** Where the gateway is; also the address that calls seem to come from at the other end. */
  get gatewayIp(): string {
    return this.cluster.outside.ip;
  }

  /** What the gateway was asked, so far. */
  get asked(): Record<string, string>[] {
    return this.gateway.printed.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  }

  /** `tcp_app.ts` in the server's pod. */
  async app(): Promise<Program> {
    const app = this.#fixture(APP, this.server, "::", `${APP_PORT}`);
    await app.line(/listening/);
    return app;
  }

  /** What `tcp_client.ts` says of its call with this wish. */
  async call(wish: string): Promise<string> {
    const args = [SERVICE.ip, `${APP_SERVICE_PORT}`, wish];
    await using program = Proxy.fixture(CLIENT, args, this.client.namespace.name);
    return (await program.ended()).output;
  }

  /** A connection that stays until somebody ends it. At SIGUSR2 it resets. */
  async hold(): Promise<Program> {
    const program = this.#fixture(CLIENT, this.client, SERVICE.ip, `${APP_SERVICE_PORT}`, "hold", "hold");
    await program.line(/connected/);
    return program;
  }

  /** `crowd.ts`, when all its connections are open. */
  async crowd(count: number, bytes: number): Promise<Program> {
    const program = this.#fixture(CROWD, this.client, SERVICE.ip, `${APP_SERVICE_PORT}`, `${count}`, `${bytes}`);
    await program.line(/all open/);
    return program;
  }

  /** Connections from the client's pod to the gateway. */
  async tunnels(): Promise<number> {
    const { namespace } = this.client;
    const output = await namespace.run("ss", "-Htn", "state", "established", "dst", `${this.gatewayIp}:${PORT}`);
    return output.split("\n").filter((line) => line !== "").length;
  }

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
  const names = [SERVICE, WRONG, NAMELESS].flatMap(({ hostname }) => ports.map((port) => `${hostname}:${port}`));
  const targets = JSON.stringify(Object.fromEntries(names.map((name) => [name, target])));
  const { namespace, ip } = cluster.outside;
  const gateway = cluster.use(Proxy.fixture(GATEWAY, [ip, `${PORT}`, ...files, targets], namespace.name));
  await gateway.line(/listening/);
  return gateway;
}

/** What the node's proxy shall believe, as a file for `LOCAL_XDS_PATH`. Returns its path. */
function writeMesh(cluster: Cluster, node: BedNode): string {
  const path = `${cluster.folder}/mesh-${node.name}.json`;
  const own = networkOf(node);
  const ports = { [SERVICE.port]: 8080, [APP_SERVICE_PORT]: APP_PORT };
  const services = [
    { ...SERVICE, sans: [identityOf("server")] },
    { ...WRONG, sans: [SOMEBODY] },
    { ...NAMELESS, sans: [] },
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
    // What stands on the other network stands on another node.
    node: network === own ? node.name : "elsewhere",
    services: {},
    ...labelsOf(name),
  });
  const server = {
    ...workload("server", "south", own === "south" ? [cluster.pod("server").ip] : []),
    // As istiod does, to both: workloads in the south accept calls from other networks through this gateway only.
    networkGateway: { destination: `south/${cluster.outside.ip}`, hboneMtlsPort: PORT },
    services: Object.fromEntries(services.map(({ hostname }) => [`${NAMESPACE}/${hostname}`, ports])),
  };
  const others = own === "north"
    ? [workload("client", "north", [cluster.pod("client").ip]), workload("gateway", "south", [cluster.outside.ip])]
    : [];
  Deno.writeTextFileSync(path, asYaml({ workloads: [server, ...others], services, policies: [] }));
  return path;
}
