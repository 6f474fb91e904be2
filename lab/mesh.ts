/** Static meshes for tests, as the text of `LOCAL_XDS`, in JSON, which is YAML (`docs/spec/config-admin.md` 2). */

/** The namespace of all workloads and policies. */
export const NAMESPACE = "test";
const TRUST_DOMAIN = "cluster.local";

/** A workload. */
interface MeshWorkload {
  /** Also the service account. */
  readonly name: string;
  readonly ips: readonly string[];
  readonly protocol?: "HBONE" | "TCP";
  /** Names of policies of {@link NAMESPACE}. */
  readonly policies?: readonly string[];
}

/** An ALLOW policy for the workloads that name it. */
interface MeshPolicy {
  readonly name: string;
  /** Names of the allowed workloads; default: any peer. */
  readonly from?: readonly string[];
  /** Allowed ports; default: any port. */
  readonly ports?: readonly number[];
}

/** Returns the SPIFFE id of a workload. */
export function identityOf(name: string): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${NAMESPACE}/sa/${name}`;
}

/** Returns the `NODE_NAME` of a workload's node. Each workload has its own node. */
export function nodeOf(name: string): string {
  return `node-${name}`;
}

/** Returns the text of a mesh. */
export function meshText(workloads: readonly MeshWorkload[], policies: readonly MeshPolicy[] = []): string {
  return JSON.stringify({ workloads: workloads.map(workloadEntry), policies: policies.map(policyEntry) });
}

function workloadEntry({ name, ips, protocol = "HBONE", policies = [] }: MeshWorkload) {
  return {
    uid: `${NAMESPACE}/${name}`,
    name,
    namespace: NAMESPACE,
    serviceAccount: name,
    trustDomain: TRUST_DOMAIN,
    workloadIps: ips,
    protocol,
    node: nodeOf(name),
    services: {},
    authorizationPolicies: policies.map((policy) => `${NAMESPACE}/${policy}`),
  };
}

function policyEntry({ name, from, ports }: MeshPolicy) {
  const match = {
    ...from && { principals: from.map((source) => ({ Exact: identityOf(source).replace("spiffe://", "") })) },
    ...ports && { destinationPorts: ports },
  };
  return {
    name,
    namespace: NAMESPACE,
    scope: "WorkloadSelector",
    action: "Allow",
    dryRun: false,
    rules: [[[match]]],
  };
}
