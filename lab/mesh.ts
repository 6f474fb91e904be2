/** Static meshes for scenarios, as the text of `LOCAL_XDS`: JSON is YAML (`docs/spec/config-admin.md` 2). */

/** All workloads and policies of scenarios stand here. */
export const NAMESPACE = "test";
const TRUST_DOMAIN = "cluster.local";

export interface MeshWorkload {
  /** Also the service account. */
  readonly name: string;
  readonly ips: readonly string[];
  readonly protocol?: "HBONE" | "TCP";
  /** Names of policies of {@link NAMESPACE}. */
  readonly policies?: readonly string[];
}

/** An ALLOW policy for the workloads that name it. */
export interface MeshPolicy {
  readonly name: string;
  /** Names of workloads; default: from anybody. */
  readonly from?: readonly string[];
  /** Default: to any port. */
  readonly ports?: readonly number[];
}

export function identityOf(name: string): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${NAMESPACE}/sa/${name}`;
}

/** Each workload has a node of its own, the value of `NODE_NAME` there. */
export function nodeOf(name: string): string {
  return `node-${name}`;
}

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
