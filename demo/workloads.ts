/**
 * The workloads with their addresses and identities, the service and the policy of the demo, and the mesh file with
 * them.
 */

/** A workload of the demo. */
export interface Workload {
  /** Name, and service account. */
  readonly name: string;
  readonly node: string;
  /** A loopback address in place of a pod's. */
  readonly ip: string;
  /** SPIFFE id. */
  readonly identity: string;
}

const NAMESPACE = "demo";
const TRUST_DOMAIN = "cluster.local";

function workload(name: string, node: string, ip: string): Workload {
  return { name, node, ip, identity: `spiffe://${TRUST_DOMAIN}/ns/${NAMESPACE}/sa/${name}` };
}

/** The workload that the policy allows. */
export const CLIENT = workload("client", "node-a", "127.0.0.2");
/** The workload with the applications. */
export const SHOP = workload("shop", "node-b", "127.0.0.3");
/** The workload that the policy refuses. */
export const INTRUDER = workload("intruder", "node-c", "127.0.0.4");
/** All workloads. */
export const WORKLOADS = [CLIENT, SHOP, INTRUDER] as const;

/** The service. Its address exists in the mesh only, not on this machine. */
export const SERVICE = {
  hostname: "shop.demo.svc.cluster.local",
  ip: "10.96.0.10",
  httpPort: 80,
  /** RFC 862 */
  echoPort: 7,
} as const;

/** The policy of the workload "shop". */
export const POLICY = `${NAMESPACE}/only-client`;

/** Ports of the applications behind the service. */
export interface AppPorts {
  readonly http: number;
  readonly echo: number;
}

/** The static file of the mesh, in place of a control plane. */
export function meshFile(apps: AppPorts): string {
  const ports = `{${SERVICE.httpPort}: ${apps.http}, ${SERVICE.echoPort}: ${apps.echo}}`;
  return `workloads:
${WORKLOADS.map((member) => workloadEntry(member, member === SHOP ? ports : null)).join("\n")}
services:
  - name: shop
    namespace: ${NAMESPACE}
    hostname: ${SERVICE.hostname}
    vips: ["/${SERVICE.ip}"]
    ports: ${ports}
policies:
  - name: ${POLICY.split("/")[1]}
    namespace: ${NAMESPACE}
    scope: WorkloadSelector
    action: Allow
    dryRun: false
    rules:
      - - - principals: [!Exact "${CLIENT.identity.replace("spiffe://", "")}"]
`;
}

function workloadEntry({ name, node, ip }: Workload, servicePorts: string | null): string {
  const services = servicePorts === null ? "{}" : `{"${NAMESPACE}/${SERVICE.hostname}": ${servicePorts}}`;
  return `  - uid: ${NAMESPACE}/${name}
    name: ${name}
    namespace: ${NAMESPACE}
    serviceAccount: ${name}
    trustDomain: ${TRUST_DOMAIN}
    workloadIps: [${ip}]
    protocol: HBONE
    node: ${node}
    services: ${services}
    authorizationPolicies: [${servicePorts === null ? "" : POLICY}]`;
}
