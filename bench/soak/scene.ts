/**
 * The network of a soak run: a small cluster (`lab/bed/`) with a proxy for the pods of each node, and two dedicated
 * proxies in namespaces of their own.
 *
 *     node 1: client, near, guest    node 2: far, strict    outside: nameserver, a host without a proxy
 *     lone-a ── lone-b
 *
 * The second proxy of each pair collects all of its garbage each time, so that its memory shows what it holds; the first
 * one runs as in production. All get their mesh from a scripted control plane and their certificates from a scripted CA, which run here.
 */
import { type BedNode, Cluster } from "../../lab/bed/cluster.ts";
import { NAMESPACE } from "../../lab/bed/mesh.ts";
import { join, makeNamespace, type Namespace } from "../../lab/namespace.ts";
import { cacheProgram, Proxy } from "../../lab/proxy.ts";
import type { Program } from "../../lab/program.ts";
import { issueFor, pem, WORKLOAD_ROOT } from "../../src/authorities/testkit/istio_ca.ts";
import { startDnsmasq, withResolver } from "../../testkit/dns_server.ts";
import { caSettings, RELAY, serveCa } from "../../testkit/rust_peer_ca.ts";
import { traceHeap } from "./heap_trace.ts";
import { type Addresses, APP, FOREIGN_NAME, POLICED, SOCKS } from "./load.ts";
import { strictPolicy, theService, workloadOf } from "./mesh.ts";
import { ChangingMesh } from "./mesh_churn.ts";

const PODS = [
  { name: "client", node: 1 },
  { name: "near", node: 1, serves: true },
  { name: "guest", node: 1 },
  { name: "far", node: 2, serves: true },
  { name: "strict", node: 2, strict: true },
] as const;
const LONE = [{ name: "lone-a", ip: "10.250.0.1" }, { name: "lone-b", ip: "10.250.0.2" }] as const;
const NAMESERVER = "10.200.0.53";
const CA_PORT = 15012;
/** Renewal comes after half of the time. */
const CERTIFICATE_SECONDS = 60;

const ENV = {
  RUST_LOG: "info,access=error",
  METRICS_SERIES_EXPIRY: "2m",
  // HBONE connections without a stream end soon, so that the run opens and closes many.
  POOL_UNUSED_RELEASE_TIMEOUT: "15s",
} as const;

/** A proxy of the run. */
export interface SoakProxy {
  readonly name: string;
  readonly proxy: Proxy;
  readonly namespace: Namespace;
  /** Each collection of its garbage is a full one. */
  readonly fullCollections: boolean;
  /** A question for `/explain`. */
  readonly question: string;
}

/** The running network. */
export class Scene implements AsyncDisposable {
  readonly proxies: readonly SoakProxy[];

  private constructor(
    readonly cluster: Cluster,
    readonly mesh: ChangingMesh,
    readonly lone: readonly SoakProxy[],
    readonly stack: AsyncDisposableStack,
  ) {
    const ofNodes = cluster.nodes.map((node) => ({
      name: `${node.name}, ${node.wired.number} worker(s)`,
      proxy: node.proxy,
      namespace: node.namespace,
      fullCollections: node.wired.number === 2,
      question: `from=${NAMESPACE}/${cluster.podsOf(node)[0]!.name}&to=${cluster.pod("strict").ip}:${APP}`,
    }));
    this.proxies = [...ofNodes, ...lone];
  }

  static async build(): Promise<Scene> {
    await using stack = new AsyncDisposableStack();
    await cacheProgram("tests/fixtures/tcp_app.ts", RELAY, "bench/soak/caller.ts");
    const settings: Record<string, string> = {};
    let mesh: ChangingMesh | null = null;
    let answered: Promise<unknown> = Promise.resolve();
    const cluster = stack.use(
      await Cluster.build({
        pods: PODS,
        dns: true,
        async prepare(cluster) {
          mesh = await prepareMesh(cluster);
          Object.assign(settings, ENV, await prepareCa(cluster), {
            XDS_ADDRESS: mesh.url,
            LOCAL_XDS_PATH: emptyMesh(cluster),
            INBOUND_PORT: "15008",
          });
          await prepareOutside(cluster);
          answered = Promise.all(cluster.nodes.map(() => mesh!.accept()));
          return ({ wired }: BedNode) => ({
            ...settings,
            ...traceHeap({ full: wired.number === 2 }),
            ISTIO_META_DNS_CAPTURE: "true",
            ZTUNNEL_WORKER_THREADS: `${wired.number}`,
          });
        },
      }),
    );
    await answered;
    await startApplications(cluster);
    const lone = await startLone(cluster, mesh!, settings);
    return new Scene(cluster, mesh!, lone, stack.move());
  }

  get addresses(): Addresses {
    const ip = (name: typeof PODS[number]["name"]) => this.cluster.pod(name).ip;
    return {
      near: ip("near"),
      far: ip("far"),
      far6: this.cluster.pod("far").ip6,
      guest: ip("guest"),
      strict: ip("strict"),
      outside: this.cluster.outside.ip,
      nameserver: NAMESERVER,
    };
  }

  /** The address of the application behind the second dedicated proxy. */
  get loneServer(): string {
    return LONE[1].ip;
  }

  /** Starts a program of this project in a namespace; it ends with the scene. */
  start(program: string, args: readonly string[], namespace: Namespace): Program {
    return this.cluster.use(Proxy.fixture(program, args, namespace.name));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stack.disposeAsync();
  }
}

async function prepareMesh(cluster: Cluster): Promise<ChangingMesh> {
  const mesh = cluster.use(await ChangingMesh.start(`${cluster.folder}/xds.sock`));
  for (const plan of PODS) {
    const { ip, ip6, node } = cluster.pod(plan.name);
    mesh.addresses.set(workloadOf({ ...plan, node: node.name, ips: [ip, ip6] }));
  }
  for (const { name, ip } of LONE) mesh.addresses.set(workloadOf({ name, node: name, ips: [ip] }));
  mesh.addresses.set(theService());
  mesh.policies.set(strictPolicy());
  return mesh;
}

async function prepareCa(cluster: Cluster): Promise<Record<string, string>> {
  const ca = await serveCa(cluster);
  ca.respond = (call) => {
    // The list is for tests, and must not grow here.
    ca.calls.length = 0;
    const now = Date.now();
    const leaf = issueFor(call, { notBefore: now - 1000, notAfter: now + CERTIFICATE_SECONDS * 1000 });
    return [pem(leaf), pem(WORKLOAD_ROOT.certificate)];
  };
  return caSettings(cluster);
}

function emptyMesh({ folder }: Cluster): string {
  const path = `${folder}/nothing.json`;
  Deno.writeTextFileSync(path, "{}");
  return path;
}

async function prepareOutside(cluster: Cluster): Promise<void> {
  const { namespace } = cluster.outside;
  await namespace.run("ip", "address", "add", `${NAMESERVER}/24`, "dev", "eth0");
  const record = `--host-record=${FOREIGN_NAME.name},${FOREIGN_NAME.answer}`;
  cluster.use(await startDnsmasq(namespace, [NAMESERVER], [record]));
  for (const node of cluster.nodes) cluster.use(withResolver(node.namespace, `nameserver ${NAMESERVER}\n`));
}

async function startApplications(cluster: Cluster): Promise<void> {
  const pods = ["near", "far", "guest", "strict"].map((name) => cluster.pod(name));
  for (const { namespace } of [...pods, cluster.outside]) await startApplication(cluster, namespace, APP);
  await startApplication(cluster, cluster.pod("far").namespace, POLICED);
}

async function startApplication(cluster: Cluster, namespace: Namespace, port: number): Promise<void> {
  const args = ["::", `${port}`];
  await cluster.use(Proxy.fixture("tests/fixtures/tcp_app.ts", args, namespace.name)).line(/listening/);
}

async function startLone(
  cluster: Cluster,
  mesh: ChangingMesh,
  settings: Readonly<Record<string, string>>,
): Promise<SoakProxy[]> {
  const namespaces = [cluster.use(await makeNamespace("lone")), cluster.use(await makeNamespace("lone"))] as const;
  await join({ in: namespaces[0], addresses: [`${LONE[0].ip}/24`] }, {
    in: namespaces[1],
    addresses: [
      `${LONE[1].ip}/24`,
    ],
  });
  const proxies: SoakProxy[] = [];
  for (const [index, { name, ip }] of LONE.entries()) {
    const namespace = namespaces[index]!;
    const relay = Proxy.fixture(RELAY, ["127.0.0.1", `${CA_PORT}`, `${cluster.folder}/ca.sock`], namespace.name);
    await cluster.use(relay).line(/listening/);
    await startApplication(cluster, namespace, APP);
    const own = {
      ...settings,
      ...traceHeap({ full: index === 1 }),
      CA_ADDRESS: `https://127.0.0.1:${CA_PORT}`,
      PROXY_MODE: "dedicated",
      PROXY_WORKLOAD_INFO: `${NAMESPACE}/${name}/${name}`,
      NODE_NAME: name,
      UNSTABLE_ENABLE_SOCKS5: "true",
      SOCKS5_PORT: `${SOCKS}`,
      ISTIO_META_DNS_CAPTURE: "false",
      ENABLE_ORIG_SRC: "false",
      PACKET_MARK: "1337",
      ZTUNNEL_WORKER_THREADS: "1",
    };
    const accepted = mesh.accept();
    const proxy = cluster.use(await Proxy.ready(own, { namespace: namespace.name }));
    await accepted;
    proxies.push({
      fullCollections: index === 1,
      name: `${name}, dedicated`,
      proxy,
      namespace,
      question: `from=${NAMESPACE}/${name}&to=${ip}:${APP}`,
    });
  }
  return proxies;
}
