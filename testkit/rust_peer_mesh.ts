/**
 * The pods of the bed with a Rust ztunnel, and what the proxies know of them.
 *
 *     node 1: client, other, stranger      node 2: server, guarded, impostor      outside: the CA
 *
 * `guarded` may be called by `client` alone. Node 1 believes that `impostor` is `trusted`, node 2 knows no `stranger`.
 */
import type { BedNode, Cluster } from "../lab/bed/cluster.ts";
import { identityOf, NAMESPACE } from "../lab/bed/mesh.ts";

/** Whose identity node 1 expects of the pod `impostor`. */
export const TRUSTED = "trusted";

export const PODS = [
  { name: "client", node: 1 },
  { name: "other", node: 1 },
  { name: "stranger", node: 1 },
  { name: "server", node: 2, serves: true },
  { name: "guarded", node: 2 },
  { name: "impostor", node: 2 },
] as const;
export type PodName = typeof PODS[number]["name"];

/** What the node's proxy shall believe, as a file for `LOCAL_XDS_PATH`. Returns its path. */
export function writeMesh(cluster: Cluster, node: BedNode): string {
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
  for (const each of mesh.workloads) Object.assign(each, labelsOf(each.name));
  if (node.wired.number === 1) workload("impostor").serviceAccount = TRUSTED;
  else mesh.workloads.splice(mesh.workloads.indexOf(workload("stranger")), 1);
  Deno.writeTextFileSync(path, asYaml(mesh));
  return path;
}

/** What else a workload of this name is known by. */
export function labelsOf(name: string) {
  return {
    workloadName: `${name}-app`,
    workloadType: "deployment",
    canonicalName: `${name}-canonical`,
    canonicalRevision: "v1",
    clusterId: "Kubernetes",
    locality: { region: "north", zone: "north-1", subzone: "" },
  };
}

/** {@link labelsOf} as a proxy tells it to its peers. */
export function baggageOf(name: string): string {
  return `k8s.cluster.name=Kubernetes,k8s.namespace.name=${NAMESPACE},k8s.deployment.name=${name}-app,` +
    `service.name=${name}-canonical,service.version=v1,cloud.region=north,cloud.availability_zone=north-1`;
}

/** JSON is YAML, but that the Rust ztunnel wants ports to be numbers, and a tag where a string is matched. */
export function asYaml(mesh: unknown): string {
  return JSON.stringify(mesh)
    .replace(/"(\d+)":/g, "$1: ")
    .replace(/\{"(Exact|Presence)":("[^"]*"|\[\])\}/g, "!$1 $2");
}
