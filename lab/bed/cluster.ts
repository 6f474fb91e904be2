/**
 * A small cluster on one machine: nodes with a proxy in shared mode and a scripted agent, and pods with the redirection
 * rules of Istio, which are passed to the proxy of their node as network namespaces. Everything ends with its scope.
 */
import type { Namespace } from "../namespace.ts";
import { cacheProgram, Proxy } from "../proxy.ts";
import { caFiles } from "../settings.ts";
import { tempDir } from "../temp_dir.ts";
import { type AgentPod, ZdsAgent, type ZdsSession } from "../zds_agent.ts";
import { bedMesh, type BedWorkload, NAMESPACE } from "./mesh.ts";
import { type Backend, redirectPod } from "./redirection.ts";
import { Cabling, type Wired, type WiredNode } from "./topology.ts";

/** A pod to make. */
export interface PodPlan {
  /** The name of the workload and its service account; unique in the cluster. */
  readonly name: string;
  /** The number of its node, from 1. */
  readonly node: number;
  /** It is a backend of `SERVICE`. */
  readonly serves?: boolean;
  /** It accepts only mTLS. */
  readonly strict?: boolean;
}

/** A cluster to build. */
export interface ClusterPlan {
  readonly pods: readonly PodPlan[];
  readonly backend?: Backend;
  /** DNS is captured; default false. */
  readonly dns?: boolean;
  /** The proxies are workloads themselves, `ztunnel-NODE`, and serve themselves; default false. */
  readonly proxiesInMesh?: boolean;
  /** Added to every proxy's environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Returns the path of another proxy for the node with this number; undefined: the proxy of this project. */
  readonly executable?: (node: number) => string | undefined;
  /** Called before the proxies start, after everything else. Its result is added to the environment of each. */
  readonly prepare?: (cluster: Cluster) => Promise<(node: BedNode) => Readonly<Record<string, string>>>;
}

/** A pod of the cluster. */
export class BedPod {
  readonly uid: string;
  readonly namespace: Namespace;
  readonly ip: string;
  readonly ip6: string;

  constructor(readonly name: string, readonly node: BedNode, { namespace, ip, ip6 }: Wired) {
    this.uid = `pod-${name}`;
    this.namespace = namespace;
    this.ip = ip;
    this.ip6 = ip6;
  }

  /** The pod as the agent announces it. */
  get announced(): AgentPod {
    const { uid, name, namespace: { path } } = this;
    return { uid, name, namespace: NAMESPACE, serviceAccount: name, path };
  }

  /** The agent of the node adds the pod; throws the proxy's error. */
  async enroll(session = this.node.session): Promise<void> {
    const error = await session.add(this.announced);
    if (error !== "") throw new Error(`${this.name}: ${error}`);
  }

  /** The agent of the node deletes the pod; throws the proxy's error. */
  async dismiss(): Promise<void> {
    const error = await this.node.session.delete(this.uid);
    if (error !== "") throw new Error(`${this.name}: ${error}`);
  }
}

/** A node of the cluster. */
export class BedNode {
  readonly name: string;
  readonly namespace: Namespace;
  readonly ip: string;
  readonly agent: ZdsAgent;
  /** The current proxy, and the agent's connection to it. */
  proxy!: Proxy;
  session!: ZdsSession;

  constructor(readonly wired: WiredNode, agent: ZdsAgent) {
    this.name = `node${wired.number}`;
    this.namespace = wired.namespace;
    this.ip = wired.ip;
    this.agent = agent;
  }
}

/** A running cluster. */
export class Cluster implements AsyncDisposable {
  readonly nodes: BedNode[] = [];
  readonly folder: string;
  readonly #pods = new Map<string, BedPod>();
  readonly #plan: ClusterPlan;
  readonly #stack = new AsyncDisposableStack();
  #outside: Wired | null = null;

  private constructor(plan: ClusterPlan) {
    this.#plan = plan;
    this.folder = this.use(tempDir()).path;
  }

  /** Builds two nodes; resolves when the proxies are ready and all pods are served. */
  static async build(plan: ClusterPlan): Promise<Cluster> {
    await cacheProgram("main.ts"); // not possible later from a namespace
    const cluster = new Cluster(plan);
    try {
      await cluster.#lay(plan);
      const settings = await plan.prepare?.(cluster);
      await Promise.all(cluster.nodes.map((node) => cluster.startProxy(node, settings?.(node))));
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A host outside of the mesh. */
  get outside(): Wired {
    return this.#outside!;
  }

  get pods(): BedPod[] {
    return [...this.#pods.values()];
  }

  pod(name: string): BedPod {
    const pod = this.#pods.get(name);
    if (pod === undefined) throw new Error(`no pod ${name} in this cluster`);
    return pod;
  }

  podsOf(node: BedNode): BedPod[] {
    return this.pods.filter((pod) => pod.node === node);
  }

  /** Starts a proxy for the node; resolves when it serves all pods of the node. An earlier proxy keeps running. */
  async startProxy(node: BedNode, more: Readonly<Record<string, string>> = {}): Promise<void> {
    node.proxy = this.launchProxy(node, more);
    await node.proxy.line(/handling new stream/); // reports more where the line is missing
    node.session = await node.agent.session();
    for (const pod of this.podsOf(node)) await pod.enroll();
    await node.session.snapshotSent();
    await node.proxy.line(/marking server ready/);
  }

  /** Starts a proxy for the node that serves no pods yet. */
  launchProxy(node: BedNode, more: Readonly<Record<string, string>> = {}): Proxy {
    const settings = {
      NODE_NAME: node.name,
      INPOD_UDS: node.agent.path,
      XDS_ADDRESS: "",
      LOCAL_XDS_PATH: `${this.folder}/mesh.json`,
      FAKE_CA: "true",
      ...caFiles(this.folder),
      ISTIO_META_DNS_CAPTURE: "false",
      // Two proxies may run on a node, in the same network namespace.
      ADMIN_PORT: "0",
      STATS_PORT: "0",
      READINESS_PORT: "0",
      ...this.#plan.proxiesInMesh && selfOf(node),
      ...this.#plan.env,
      ...more,
    };
    const executable = this.#plan.executable?.(node.wired.number);
    const options = { namespace: node.namespace.name, ...executable !== undefined && { executable } };
    return this.use(new Proxy(settings, options));
  }

  /** Disposes of `resource` with the cluster, in reverse order. */
  use<T extends AsyncDisposable | Disposable>(resource: T): T {
    return this.#stack.use(resource);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  /** Makes namespaces, links, rules and the mesh. */
  async #lay({ pods, backend = "iptables", dns = false }: ClusterPlan): Promise<void> {
    const cabling = new Cabling(this.folder);
    const wire = this.use(await cabling.makeWire());
    for (const number of [1, 2]) {
      const wired = await cabling.makeNode(wire, number);
      this.use(wired.namespace);
      this.nodes.push(new BedNode(wired, this.use(new ZdsAgent(`${this.folder}/zds-${number}.sock`))));
    }
    this.#outside = await cabling.makeOutside(wire);
    this.use(this.outside.namespace);
    const nodes = this.nodes.map(({ wired }) => wired);
    for (const { namespace } of [...nodes, this.outside]) await cabling.route(namespace, nodes);
    for (const [index, { name, node: number }] of pods.entries()) {
      const node = this.nodes[number - 1]!;
      const wired = await cabling.makePod(node.wired, name, index);
      this.use(wired.namespace);
      await redirectPod(wired.namespace, backend, { ipv6: true, dns });
      this.#pods.set(name, new BedPod(name, node, wired));
    }
    const proxies = this.#plan.proxiesInMesh ? this.nodes.map(proxyWorkload) : [];
    Deno.writeTextFileSync(
      `${this.folder}/mesh.json`,
      bedMesh([...pods.map((plan) => this.#workload(plan)), ...proxies]),
    );
  }

  #workload({ name, serves, strict }: PodPlan): BedWorkload {
    const { ip, ip6, node } = this.pod(name);
    return { name, node: node.name, ips: [ip, ip6], serves: serves === true, strict: strict === true };
  }
}

function selfOf({ name }: BedNode): Record<string, string> {
  return { POD_NAME: `ztunnel-${name}`, POD_NAMESPACE: NAMESPACE, SERVICE_ACCOUNT: `ztunnel-${name}` };
}

function proxyWorkload({ name, wired }: BedNode): BedWorkload {
  return { name: `ztunnel-${name}`, node: name, ips: [wired.ip, wired.ip6] };
}
