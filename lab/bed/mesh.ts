/** The mesh of the test cluster, as the text of `LOCAL_XDS_PATH`, in JSON, which is YAML. */

/** The namespace of all workloads. */
export const NAMESPACE = "bed";
const TRUST_DOMAIN = "cluster.local";

/** The service whose backends are the workloads with `serves`. */
export const SERVICE = {
  hostname: "server.bed.svc.cluster.local",
  ip: "10.96.0.10",
  ip6: "fd96::10",
  port: 80,
} as const;

/** The port of every application. */
export const HTTP = 8080;

/** The policy to which a control plane converts a PeerAuthentication in mode STRICT. */
const STRICT = `${NAMESPACE}/strict`;

/** A workload. */
export interface BedWorkload {
  /** Also the service account. */
  readonly name: string;
  readonly node: string;
  readonly ips: readonly string[];
  /** It is a backend of {@link SERVICE}. */
  readonly serves?: boolean;
  /** {@link STRICT} applies. */
  readonly strict?: boolean;
}

/** Returns the SPIFFE id of a workload. */
export function identityOf(name: string): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${NAMESPACE}/sa/${name}`;
}

/** Returns the text of the mesh. */
export function bedMesh(workloads: readonly BedWorkload[]): string {
  const ports = { [SERVICE.port]: HTTP };
  return JSON.stringify({
    workloads: workloads.map(({ name, node, ips, serves, strict }) => ({
      uid: `${NAMESPACE}/${name}`,
      name,
      namespace: NAMESPACE,
      serviceAccount: name,
      trustDomain: TRUST_DOMAIN,
      workloadIps: ips,
      protocol: "HBONE",
      node,
      services: serves ? { [`${NAMESPACE}/${SERVICE.hostname}`]: ports } : {},
      authorizationPolicies: strict ? [STRICT] : [],
    })),
    services: [{
      name: "server",
      namespace: NAMESPACE,
      hostname: SERVICE.hostname,
      vips: [`/${SERVICE.ip}`, `/${SERVICE.ip6}`],
      ports,
    }],
    policies: [{
      name: "strict",
      namespace: NAMESPACE,
      scope: "WorkloadSelector",
      action: "Deny",
      dryRun: false,
      rules: [[[{ notPrincipals: [{ Presence: [] }] }]]],
    }],
  });
}
