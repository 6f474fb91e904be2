/** Who plays: workloads with their addresses and identities, the service, the policy; and the mesh file that says so. */

export interface Workload {
  /** Also the service account. */
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

export const CLIENT = workload("client", "node-a", "127.0.0.2");
export const SHOP = workload("shop", "node-b", "127.0.0.3");
export const INTRUDER = workload("intruder", "node-c", "127.0.0.4");
export const CAST = [CLIENT, SHOP, INTRUDER] as const;

/** Exists in the mesh only: nothing on this machine has the address. */
export const SERVICE = {
  hostname: "shop.demo.svc.cluster.local",
  ip: "10.96.0.10",
  httpPort: 80,
  /** RFC 862 */
  echoPort: 7,
} as const;

export const POLICY = `${NAMESPACE}/only-client`;

/** Where the apps behind the service really listen. */
export interface AppPorts {
  readonly http: number;
  readonly echo: number;
}

/** Content for `LOCAL_XDS_PATH`: what a control plane would tell. */
export function meshFile(apps: AppPorts): string {
  const ports = `{${SERVICE.httpPort}: ${apps.http}, ${SERVICE.echoPort}: ${apps.echo}}`;
  return `workloads:
${CAST.map((member) => workloadEntry(member, member === SHOP ? ports : null)).join("\n")}
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
