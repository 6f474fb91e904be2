/** The mesh of the bed, as the text of `LOCAL_XDS_PATH`: what a control plane would tell. JSON is YAML. */

/** All workloads of the bed stand here. */
export const NAMESPACE = "bed";
const TRUST_DOMAIN = "cluster.local";

/** The service in front of the workloads that name it. */
export const SERVICE = {
  hostname: "server.bed.svc.cluster.local",
  ip: "10.96.0.10",
  ip6: "fd96::10",
  port: 80,
} as const;

/** Where every application listens. */
export const HTTP = 8080;

/** Only callers with an identity, as a PeerAuthentication in mode STRICT becomes in the mesh. */
export const STRICT = `${NAMESPACE}/strict`;

export interface BedWorkload {
  /** Also the service account. */
  readonly name: string;
  readonly node: string;
  readonly ips: readonly string[];
  /** It stands behind {@link SERVICE}. */
  readonly serves?: boolean;
  /** {@link STRICT} applies. */
  readonly strict?: boolean;
}

export function identityOf(name: string): string {
  return `spiffe://${TRUST_DOMAIN}/ns/${NAMESPACE}/sa/${name}`;
}

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
