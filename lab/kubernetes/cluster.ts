/**
 * A real Kubernetes of two nodes on one machine: API server, etcd, controller manager, scheduler, kubelets with containerd,
 * kube-proxy and CoreDNS, each node in namespaces and control groups of its own. Needs root. Everything ends with its scope.
 */
import { readSystemFile, readSystemLink } from "../../src/os/system_files.ts";
import { eventually } from "../eventually.ts";
import { Program, run } from "../program.ts";
import { tempDir } from "../temp_dir.ts";
import { builtFolder } from "./built.ts";
import { ControlGroups, CONTROLLERS } from "./control_groups.ts";
import { type NodeNumber, NODES } from "./nodes.ts";
import { NAMESPACE } from "./objects.ts";
import { KernelSettings } from "./kernel_settings.ts";

const HERE = new URL(".", import.meta.url).pathname;
/** Each waits for less than the limit of one command (`lab/program.ts`). */
const ROLLOUT_ATTEMPTS = 4;
/** For the start of each program, on a machine that is busy. */
const START_LIMIT_MS = 120_000;
const LOAD_IMAGE = ["ctr", "-n", "k8s.io", "images", "import"] as const;

/** A running cluster. */
export class KubernetesCluster implements AsyncDisposable {
  /** Of this cluster: keys, logs (`log/`), the nodes' file systems. */
  readonly folder: string;
  /** Programs and images. */
  readonly built = builtFolder();
  /** The administrator's. */
  readonly kubeconfig: string;
  readonly #stack = new AsyncDisposableStack();
  readonly #nodes = new Map<NodeNumber, number>();
  #groups!: ControlGroups;
  /** Process 1 of the control plane's namespaces, as this machine counts. */
  #control = 0;
  #manifests = 0;

  private constructor() {
    this.folder = this.#stack.use(tempDir("kubernetes-")).path;
    this.kubeconfig = `${this.folder}/pki/admin.conf`;
  }

  /** Starts a cluster; resolves when both nodes are ready and the DNS server answers. */
  static async start(): Promise<KubernetesCluster> {
    const cluster = new KubernetesCluster();
    try {
      await cluster.#boot();
      await cluster.loadImages("lab_pause_1", "lab_app_1", "lab_coredns_1");
      for (const node of NODES) {
        await cluster.#succeeds(`node ${node}`, () => cluster.kubectl("get", "node", `node${node}`));
        await cluster.kubectl("wait", "--for=condition=Ready", `node/node${node}`, "--timeout=100s");
      }
      await cluster.applyFile(`${HERE}manifests/coredns.yaml`);
      await cluster.rolledOut("kube-system", "deployment/coredns");
      return cluster;
    } catch (error) {
      await cluster[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** Runs `kubectl` as the administrator and returns its output; throws unless it succeeds. */
  kubectl(...args: readonly string[]): Promise<string> {
    return this.onControlPlane(`${this.built}/bin/kubectl`, `--kubeconfig=${this.kubeconfig}`, ...args);
  }

  /** Starts a program in the network namespace of the control plane; it ends with the cluster. */
  runOnControlPlane(...command: readonly string[]): Program {
    return this.#stack.use(new Program("nsenter", { args: ["-t", `${this.#control}`, "-n", ...command] }));
  }

  /** Starts `kubectl` in the background. */
  startKubectl(...args: readonly string[]): Program {
    const words = ["-t", `${this.#control}`, "-n", `${this.built}/bin/kubectl`];
    return new Program("nsenter", { args: [...words, `--kubeconfig=${this.kubeconfig}`, ...args] });
  }

  /** Applies objects, as YAML or JSON documents. */
  async apply(objects: string): Promise<void> {
    const file = `${this.folder}/objects-${++this.#manifests}.yaml`;
    Deno.writeTextFileSync(file, objects);
    await this.applyFile(file);
  }

  /** Applies the objects of a file. */
  async applyFile(file: string): Promise<void> {
    await this.kubectl("apply", "--server-side", "--force-conflicts", "-f", file);
  }

  /** Returns a field of an object of the scenarios, by a JSONPath. */
  async field(kind: string, name: string, path: string): Promise<string> {
    return (await this.kubectl("-n", NAMESPACE, "get", kind, name, "-o", `jsonpath=${path}`)).trim();
  }

  /** Waits until all pods of a workload are the newest and ready; throws after some minutes. */
  async rolledOut(namespace: string, workload: string): Promise<void> {
    for (let attempt = 1;; attempt++) {
      try {
        await this.kubectl("-n", namespace, "rollout", "status", workload, "--timeout=90s");
        return;
      } catch (error) {
        if (attempt === ROLLOUT_ATTEMPTS) {
          throw new Error(`${workload}: ${await this.#podsOf(namespace)}`, { cause: error });
        }
      }
    }
  }

  /** Runs a command in the network namespace of the control plane, from which all addresses of the cluster can be reached. */
  onControlPlane(...command: readonly string[]): Promise<string> {
    return run("nsenter", "-t", `${this.#control}`, "-n", ...command);
  }

  /** Returns the words that run a command in the namespaces of a node. */
  inNode(node: NodeNumber, ...command: readonly string[]): readonly [string, ...string[]] {
    const pid = this.#nodes.get(node);
    if (pid === undefined) throw new Error(`node ${node} does not run`);
    const path = `PATH=${this.built}/debian/usr/sbin:${this.built}/debian/usr/bin:${Deno.env.get("PATH")}`;
    return ["nsenter", "-t", `${pid}`, "-m", "-n", "-u", "-i", "-p", "env", path, ...command];
  }

  /** Runs a command on a node and returns its output. */
  onNode(node: NodeNumber, ...command: readonly string[]): Promise<string> {
    return run(...this.inNode(node, ...command));
  }

  /** Loads built images, by the names of their archives, into both nodes. */
  async loadImages(...names: readonly string[]): Promise<void> {
    for (const name of names) await this.importImage(`${this.built}/images/${name}.tar`);
  }

  /** Loads an archive of an image into both nodes. `name`: of the image, where the archive has none. */
  async importImage(file: string, name: string | null = null): Promise<void> {
    const named = name === null ? [] : ["--index-name", name];
    for (const node of NODES) await this.onNode(node, ...LOAD_IMAGE, ...named, file);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }

  #podsOf(namespace: string): Promise<string> {
    return this.kubectl("-n", namespace, "get", "pods", "-o", "wide");
  }

  async #boot(): Promise<void> {
    const { folder, built } = this;
    const group = `zt-kubernetes-${Deno.pid}`;
    for (const name of ["log", "images"]) Deno.mkdirSync(`${folder}/${name}`);
    await run(`${HERE}authority.sh`, `${folder}/pki`, ...NODES.map(String));
    this.#stack.use(new KernelSettings());
    this.#groups = this.#stack.use(await ControlGroups.make(group, NODES));
    const flags = ["--mount", "--net", "--uts", "--ipc", "--pid", "--fork", "--kill-child", "--mount-proc"];
    const env = { LAB: folder, BUILT: built, GROUP: group, CONTROLLERS: CONTROLLERS.join(" "), NODES: NODES.join(" ") };
    const program = this.#stack.use(new Program("unshare", { args: [...flags, `${HERE}control.sh`], env }));
    this.#control = await eventually("the control plane's process", () => childOf(program.pid));
    await this.#succeeds("the API server", () => this.kubectl("get", "--raw", "/readyz"));
    for (const node of NODES) {
      this.#nodes.set(node, await eventually(`process 1 of node ${node}`, () => this.#firstProcess(node)));
      await this.#succeeds(
        `containerd of node ${node}`,
        () => this.onNode(node, "test", "-S", "/run/containerd/containerd.sock"),
      );
    }
  }

  /** Waits until `step` does not throw; the error names what the programs logged last. */
  async #succeeds(what: string, step: () => Promise<unknown>): Promise<void> {
    await eventually(what, () => step().then(() => true, () => false), () => this.#logs(), START_LIMIT_MS);
  }

  #logs(): string {
    const logs = [...Deno.readDirSync(`${this.folder}/log`)].map(({ name }) => `${this.folder}/log/${name}`);
    return logs.map((file) => `\n${file}: ${Deno.readTextFileSync(file).trimEnd().split("\n").slice(-3).join("\n")}`)
      .join("");
  }

  /** Process 1 of a node runs `pause`, once its services are started. */
  #firstProcess(node: NodeNumber): number | undefined {
    return this.#groups.processesOf(node).find((pid) => programOf(pid)?.endsWith("/bin/pause"));
  }
}

function childOf(pid: number): number | null {
  try {
    return Number(readSystemFile(`/proc/${pid}/task/${pid}/children`).trim().split(" ")[0]) || null;
  } catch {
    return null;
  }
}

function programOf(pid: number): string | null {
  try {
    return readSystemLink(`/proc/${pid}/exe`);
  } catch {
    return null;
  }
}
