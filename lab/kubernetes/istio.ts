/** Installs Istio's ambient mode in a cluster, and by Istio's chart its proxy or this project's. */
import { dirname } from "node:path";
import { HELM } from "../istio/charts.ts";
import { run } from "../program.ts";
import type { KubernetesCluster } from "./cluster.ts";

export const ISTIO_NAMESPACE = "istio-system";

const HERE = new URL(".", import.meta.url).pathname;
const IMAGE_TOOL = new URL("../../tools/image/main.ts", import.meta.url).pathname;
const IMAGE_RIGHTS = ["--allow-env", "--allow-read", "--allow-write", "--allow-run"] as const;
const VALUES = new URL("../../deploy/values/", import.meta.url).pathname;

/** A container image of a proxy. */
export interface ProxyImage {
  readonly name: string;
  readonly file: string;
  /** As `docker save` writes it, which has the name inside, or an OCI layout, which has none. */
  readonly format: "docker" | "oci";
  /** The values file of `deploy/values` that goes with it. */
  readonly values?: string;
}

/** The image of this project's proxy: that of a release, whose OCI archive `ZTUNNEL_IMAGE` names, or one of this tree. */
export async function productImage(
  cluster: KubernetesCluster,
  name = "docker.io/lab/ztunnel:ours",
): Promise<ProxyImage> {
  const values = "istio";
  const released = Deno.env.get("ZTUNNEL_IMAGE");
  if (released !== undefined) return { name, file: released, format: "oci", values };
  const file = `${cluster.folder}/images/ours.tar`;
  const made = [`--docker=${file}`, `--tag=${name}`];
  await output(Deno.execPath(), "run", "--no-prompt", ...IMAGE_RIGHTS, IMAGE_TOOL, ...made);
  return { name, file, format: "docker", values };
}

/** Makes an image of a Rust ztunnel. */
export async function rustImage(cluster: KubernetesCluster, executable: string): Promise<ProxyImage> {
  const name = "docker.io/lab/ztunnel:rust", folder = `${cluster.folder}/images`;
  await run(`${HERE}rust_image.sh`, cluster.built, folder, name, executable);
  return { name, file: `${folder}/docker.io_lab_ztunnel_rust.tar`, format: "docker" };
}

/** Installs istiod and istio-cni; resolves when they are ready. `revision`: a further control plane of that name. */
export async function installIstio(cluster: KubernetesCluster, revision?: string): Promise<void> {
  await cluster.loadImages("lab_pilot_lab", "lab_install-cni_lab");
  const set = revision === undefined ? [] : [`revision=${revision}`, "components.cni.enabled=false"];
  const values = ["profile=ambient", "hub=docker.io/lab", "tag=lab", "components.ztunnel.enabled=false", ...set];
  const flags = values.map((value) => `--set=${value}`);
  const objects = await output(`${cluster.built}/bin/istioctl`, "manifest", "generate", ...flags);
  if (revision === undefined) await cluster.kubectl("create", "namespace", ISTIO_NAMESPACE);
  await cluster.apply(objects.replaceAll(":lab-distroless", ":lab")); // the images here have no variant in their tags
  await rolledOut(cluster, `deployment/istiod${revision === undefined ? "" : `-${revision}`}`);
  await rolledOut(cluster, "daemonset/istio-cni-node");
}

/**
 * Installs the proxy by Istio's chart, or changes what is installed, and waits until it runs on both nodes. `set`: values
 * as Helm's `--set` takes them, such as `terminationGracePeriodSeconds=5`.
 */
export async function installProxy(
  cluster: KubernetesCluster,
  image: ProxyImage,
  set: readonly string[] = [],
): Promise<void> {
  await cluster.importImage(image.file, image.format === "oci" ? image.name : null);
  const files = image.values === undefined ? [] : ["--values", `${VALUES}${image.values}.yaml`];
  const values = [`image=${image.name}`, ...set].flatMap((value) => ["--set", value]);
  await helm(cluster, "upgrade", "--install", "ztunnel", `${dirname(HELM.path)}/charts/istio`, ...files, ...values);
  await rolledOut(cluster, "daemonset/ztunnel");
}

/** Goes back to what was installed before the last {@link installProxy}, and waits until it runs on both nodes. */
export async function rollBackProxy(cluster: KubernetesCluster): Promise<void> {
  await helm(cluster, "rollback", "ztunnel");
  await rolledOut(cluster, "daemonset/ztunnel");
}

/** Waits until all pods of a workload of Istio are the newest and ready. */
function rolledOut(cluster: KubernetesCluster, workload: string): Promise<void> {
  return cluster.rolledOut(ISTIO_NAMESPACE, workload);
}

/** Replaces all pods of a workload of Istio. */
export async function restart(cluster: KubernetesCluster, workload: string): Promise<void> {
  await cluster.kubectl("-n", ISTIO_NAMESPACE, "rollout", "restart", workload);
  await rolledOut(cluster, workload);
}

/** Returns the names of the proxies' pods, by node. */
export async function proxyPods(cluster: KubernetesCluster): Promise<ReadonlyMap<string, string>> {
  const columns = "custom-columns=N:.spec.nodeName,P:.metadata.name";
  const output = await cluster.kubectl(
    "-n",
    ISTIO_NAMESPACE,
    "get",
    "pods",
    "-l",
    "app=ztunnel",
    "--no-headers",
    "-o",
    columns,
  );
  return new Map(output.trim().split("\n").map((line) => line.trim().split(/\s+/) as [string, string]));
}

/** Runs a program that prints or takes more than {@link run} allows, and returns its standard output. */
async function output(command: string, ...args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args], stdin: "null" }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** Runs helm as the administrator. */
function helm(cluster: KubernetesCluster, ...args: readonly string[]): Promise<string> {
  return cluster.onControlPlane(HELM.path, "--kubeconfig", cluster.kubeconfig, "--namespace", ISTIO_NAMESPACE, ...args);
}
