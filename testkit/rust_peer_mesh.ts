/**
 * The pods of tests with a Rust ztunnel, and the mesh in the files of each proxy.
 *
 *     node 1: client, other, stranger      node 2: server, guarded, impostor      outside: the CA
 *
 * A policy allows only `client` to call `guarded`. In node 1's mesh `impostor` has the identity of `trusted`; node 2's
 * mesh has no `stranger`.
 */
import type { BedNode, Cluster } from "../lab/bed/cluster.ts";
import { identityOf, NAMESPACE } from "../lab/bed/mesh.ts";

/** The service account that node 1 expects of the pod `impostor`. */
export const TRUSTED = "trusted";

/** The pods and their nodes. */
export const PODS = [
  { name: "client", node: 1 },
  { name: "other", node: 1 },
  { name: "stranger", node: 1 },
  { name: "server", node: 2, serves: true },
  { name: "guarded", node: 2 },
  { name: "impostor", node: 2 },
] as const;
export type PodName = typeof PODS[number]["name"];

/** Writes the node's mesh as a file for `LOCAL_XDS_PATH`. Returns its path. */
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

/** The labels of a workload of this name. */
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

/** {@link labelsOf} as the value of the header `baggage`. */
export function baggageOf(name: string): string {
  return `k8s.cluster.name=Kubernetes,k8s.namespace.name=${NAMESPACE},k8s.deployment.name=${name}-app,` +
    `service.name=${name}-canonical,service.version=v1,cloud.region=north,cloud.availability_zone=north-1`;
}

/** JSON as YAML for the Rust ztunnel, which requires ports as numbers, and tags for enums such as string matches. */
export function asYaml(mesh: unknown): string {
  return JSON.stringify(mesh)
    .replace(/"(\d+)":/g, "$1: ")
    .replace(/\{"(Exact|Presence)":("[^"]*"|\[\])\}/g, "!$1 $2");
}
