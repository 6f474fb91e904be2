/**
 * Two nodes on one machine, with the network of `lab/bed/topology.ts` and the real components of Istio: on each node its
 * agent redirects the pods and passes them to the proxy, and istiod sends the mesh and signs certificates. Everything
 * ends with its scope.
 */
import type { Stage } from "../bed/apps.ts";
import { HTTP, NAMESPACE, SERVICE } from "../bed/mesh.ts";
import type { PodPlan } from "../bed/cluster.ts";
import type { Backend } from "../bed/redirection.ts";
import { Cabling, type Wired, type WiredNode } from "../bed/topology.ts";
import { CniAgent, type CniPod } from "./cni.ts";
import { Istiod } from "./istiod.ts";
import { documents, namespace, pod, proxyPod, service } from "./istiod_objects.ts";
import { proxySettings } from "./istiod_settings.ts";
import type { Namespace } from "../namespace.ts";
import { eventually } from "../eventually.ts";
import { cacheProgram, Proxy } from "../proxy.ts";
import { tempDir } from "../temp_dir.ts";

/** The label of the backends of {@link SERVICE}. */
const APP = "server";

/** A cluster to build. */
export interface CniClusterPlan {
  readonly pods: readonly PodPlan[];
  readonly rules: Backend;
  /** Returns the path of another proxy for the node with this number; undefined: the proxy of this project. */
  readonly executable?: (node: number) => string | undefined;
  /** Added to every proxy's environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A pod of the cluster. */
export class PodInMesh {
  readonly namespace: Namespace;
  readonly ip: string;
  readonly ip6: string;

  constructor(readonly name: string, readonly node: NodeWithAgent, { namespace, ip, ip6 }: Wired) {
    this.namespace = namespace;
    this.ip = ip;
    this.ip6 = ip6;
  }

  /** The pod as the agent gets it. */
  get agentPod(): CniPod {
    const { name, namespace: { path } } = this;
    return { uid: `uid-of-${name}`, name, namespace: NAMESPACE, serviceAccount: name, netns: path };
  }

  /** The agent redirects the pod and passes it to the proxy; throws the agent's error. */
  async enroll(): Promise<void> {
    const error = await this.node.agent.add(this.agentPod);
    if (error !== "") throw new Error(`${this.name}: ${error}`);
  }

  /**
   * The agent notifies all proxies that the pod has ended. Proxies that have disconnected cause an error, after which the
   * agent is called again.
   */
  async dismiss(): Promise<void> {
    await eventually(`the end of ${this.name}`, async () => await this.node.agent.end(this.agentPod) === "");
  }
}

/** A node of the cluster. */
export class NodeWithAgent {
  readonly name: string;
  readonly number: number;
  readonly namespace: Namespace;
  readonly ip: string;
  /** The proxy that was started last. */
  proxy!: Proxy;

  constructor(readonly wired: WiredNode, readonly agent: CniAgent) {
    this.name = `node${wired.number}`;
    this.number = wired.number;
    this.namespace = wired.namespace;
    this.ip = wired.ip;
  }
}

/** A running cluster. */
export class CniCluster implements Stage, AsyncDisposable {
  readonly nodes: NodeWithAgent[] = [];
  readonly folder: string;
  readonly #pods = new Map<string, PodInMesh>();
  readonly #plan: CniClusterPlan;
  readonly #stack = new AsyncDisposableStack();
  readonly #cabling: Cabling;
  #sandboxes = 0;
  #outside: Wired | null = null;
  #istiod: Istiod | null = null;

  private constructor(plan: CniClusterPlan) {
    this.#plan = plan;
    this.folder = this.use(tempDir()).path;
    this.#cabling = new Cabling(this.folder);
  }

  /** Builds the cluster; resolves when the proxies are ready and all pods are in the mesh. */
  static async build(plan: CniClusterPlan): Promise<CniCluster> {
    await cacheProgram("main.ts"); // not possible later from a namespace
    const cluster = new CniCluster(plan);
    try {
      await cluster.#lay();
      const { namespace, ip } = cluster.outside;
      const inside = { namespace: namespace.name, hostname: ip };
      cluster.#istiod = cluster.use(await Istiod.start({ objects: cluster.#objects(), ...inside }));
      await Promise.all(cluster.nodes.map(async ({ agent }) => await agent.start()));
      await Promise.all(cluster.nodes.map((node) => cluster.startProxy(node)));
      for (const pod of cluster.pods) await pod.enroll();
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A host outside of the mesh, on which istiod runs. */
  get outside(): Wired {
    return this.#outside!;
  }

  get istiod(): Istiod {
    return this.#istiod!;
  }

  get pods(): PodInMesh[] {
    return [...this.#pods.values()];
  }

  pod(name: string): PodInMesh {
    const pod = this.#pods.get(name);
    if (pod === undefined) throw new Error(`no pod ${name} in this cluster`);
    return pod;
  }

  podsOf(node: NodeWithAgent): PodInMesh[] {
    return this.pods.filter((pod) => pod.node === node);
  }

  /** Returns the Kubernetes object of a pod. */
  podObject({ name, ip, ip6, node }: PodInMesh): string {
    const serves = this.#plan.pods.some((plan) => plan.name === name && plan.serves);
    return pod({ name, namespace: NAMESPACE, ip: [ip, ip6], node: node.name, ...serves && { labels: { app: APP } } });
  }

  /** Starts a proxy for the node; resolves when it is ready. An earlier proxy keeps running. */
  async startProxy(node: NodeWithAgent): Promise<void> {
    const settings = {
      NODE_NAME: node.name,
      INPOD_UDS: node.agent.socket,
      // Two proxies may run on a node, in the same network namespace.
      ADMIN_PORT: "0",
      STATS_PORT: "0",
      READINESS_PORT: "0",
      ...proxySettings(this.istiod, proxyName(node), node.ip),
      ...this.#plan.env,
    };
    const executable = this.#plan.executable?.(node.number);
    const options = { namespace: node.namespace.name, ...executable !== undefined && { executable } };
    node.proxy = this.use(new Proxy(settings, options));
    await node.proxy.line(/marking server ready/);
  }

  /** Makes a network namespace with new addresses for the pod, which may have had another one. Notifies no component. */
  async makeSandbox(name: string, node: NodeWithAgent): Promise<PodInMesh> {
    const wired = await this.#cabling.makePod(node.wired, name, this.#sandboxes++);
    this.use(wired.namespace);
    const pod = new PodInMesh(name, node, wired);
    this.#pods.set(name, pod);
    return pod;
  }

  /** Disposes of `resource` with the cluster, in reverse order. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  async #lay(): Promise<void> {
    const cabling = this.#cabling;
    const wire = this.use(await cabling.makeWire());
    for (const number of [1, 2]) {
      const wired = await cabling.makeNode(wire, number);
      const { name: namespace } = this.use(wired.namespace);
      this.nodes.push(new NodeWithAgent(wired, this.use(new CniAgent({ namespace, rules: this.#plan.rules }))));
    }
    this.#outside = await cabling.makeOutside(wire);
    this.use(this.outside.namespace);
    const nodes = this.nodes.map(({ wired }) => wired);
    for (const { namespace } of [...nodes, this.outside]) await cabling.route(namespace, nodes);
    for (const { name, node } of this.#plan.pods) await this.makeSandbox(name, this.nodes[node - 1]!);
  }

  #objects(): string {
    return documents(
      namespace("istio-system"),
      namespace(NAMESPACE, { "istio.io/dataplane-mode": "ambient" }),
      ...this.nodes.map((node) => proxyPod({ name: proxyName(node), node: node.name, ip: node.ip })),
      ...this.pods.map((pod) => this.podObject(pod)),
      ...this.#plan.pods.filter(({ strict }) => strict).map(({ name }) => strict(name)),
      service({
        name: "server",
        namespace: NAMESPACE,
        app: APP,
        vip: [SERVICE.ip, SERVICE.ip6],
        ports: { [SERVICE.port]: HTTP },
      }),
    );
  }
}

/** Returns a PeerAuthentication in mode STRICT. */
function strict(app: string): string {
  return JSON.stringify({
    apiVersion: "security.istio.io/v1",
    kind: "PeerAuthentication",
    metadata: { name: app, namespace: NAMESPACE },
    spec: { mtls: { mode: "STRICT" }, selector: { matchLabels: { app } } },
  });
}

function proxyName({ name }: NodeWithAgent): string {
  return `ztunnel-${name}`;
}
