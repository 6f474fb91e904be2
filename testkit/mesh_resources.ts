/** A mesh of any size as xDS resources, with names, fields and repetitions like those of a real control plane. */
import { istio } from "./gen/resources.js";

/** One xDS resource. */
interface MeshResource {
  readonly name: string;
  readonly version: string;
  readonly body: Uint8Array;
}

/** Number of objects of each kind. */
interface MeshSize {
  readonly workloads: number;
  readonly services: number;
  readonly policies: number;
}

/** All resources of a mesh. */
export interface Mesh {
  /** Workloads and services in a mixed order, as istiod sends them. */
  readonly addresses: readonly MeshResource[];
  readonly policies: readonly MeshResource[];
}

/** The size of a mesh with this many workloads: one service for five of them, one policy for a hundred. */
export function sizeOf(workloads: number): MeshSize {
  return { workloads, services: workloads / 5, policies: workloads / 100 };
}

const PODS_PER_NODE = 100;
const SERVICES_PER_NAMESPACE = 40;
const STRICT = "istio-system/istio_converted_static_strict";

/** Makes the resources of a mesh. */
export function makeMesh({ workloads, services, policies }: MeshSize): Mesh {
  const addresses = [
    ...Array.from({ length: workloads }, (_, i) => workloadResource(i, services)),
    ...Array.from({ length: services }, (_, i) => serviceResource(i)),
  ];
  return { addresses: shuffled(addresses), policies: Array.from({ length: policies }, (_, i) => policyResource(i)) };
}

function namespaceOf(service: number): string {
  return `team-${Math.floor(service / SERVICES_PER_NAMESPACE)}`;
}

function hostnameOf(service: number): string {
  return `app-${service}.${namespaceOf(service)}.svc.cluster.local`;
}

/** The workload's IPv4 address, in 10.64.0.0/10. */
function podIp(workload: number): Uint8Array {
  return Uint8Array.of(10, 64 + (workload >> 16), workload >> 8, workload);
}

/** The service's IPv4 address, in 10.32.0.0/11. */
export function vipOf(service: number): Uint8Array {
  return Uint8Array.of(10, 32 + (service >> 16), service >> 8, service);
}

/** The workload number `i` in a mesh with this many services. `revision` is its canonical revision and changes its version. */
export function workloadResource(i: number, services: number, revision = 1): MeshResource {
  const service = i % services;
  const namespace = namespaceOf(service);
  const node = Math.floor(i / PODS_PER_NODE);
  const name = `app-${service}-${hex(service * 7919, 9)}-${letters(i)}`;
  const uid = `Kubernetes//Pod/${namespace}/${name}`;
  const body = istio.workload.Address.encode({
    workload: {
      uid,
      name,
      namespace,
      addresses: [podIp(i)],
      tunnelProtocol: istio.workload.TunnelProtocol.HBONE,
      serviceAccount: `app-${service}`,
      node: `ip-10-0-${node >> 8}-${node & 255}.eu-west-1.compute.internal`,
      canonicalName: `app-${service}`,
      canonicalRevision: `v${revision}`,
      workloadType: istio.workload.WorkloadType.POD,
      workloadName: `app-${service}-${hex(service * 7919, 9)}`,
      authorizationPolicies: service % 4 === 0 ? [STRICT] : [],
      clusterId: "Kubernetes",
      services: {
        [`${namespace}/${hostnameOf(service)}`]: {
          ports: [{ servicePort: 80, targetPort: 8080 }, { servicePort: 9090, targetPort: 9090 }],
        },
      },
      locality: { region: "eu-west-1", zone: `eu-west-1${"abc"[node % 3]}` },
    },
  }).finish();
  return { name: uid, version: hex(i * 2654435761 + revision, 16), body };
}

/** The service number `i`. */
export function serviceResource(i: number): MeshResource {
  const namespace = namespaceOf(i);
  const hostname = hostnameOf(i);
  const body = istio.workload.Address.encode({
    service: {
      name: `app-${i}`,
      namespace,
      hostname,
      addresses: [{ address: vipOf(i) }],
      ports: [
        { servicePort: 80, targetPort: 8080, appProtocol: istio.workload.AppProtocol.HTTP11 },
        { servicePort: 9090, targetPort: 9090 },
      ],
      canonical: true,
    },
  }).finish();
  return { name: `${namespace}/${hostname}`, version: hex(i * 40503 + 7, 16), body };
}

function policyResource(i: number): MeshResource {
  if (i === 0) return strictPolicy();
  const namespace = namespaceOf(i * 20);
  const principal = (service: number) => ({ exact: `cluster.local/ns/${namespaceOf(service)}/sa/app-${service}` });
  const body = istio.security.Authorization.encode({
    name: `allow-${i}`,
    namespace,
    scope: istio.security.Scope.NAMESPACE,
    action: istio.security.Action.ALLOW,
    rules: [{
      clauses: [
        {
          matches: [{ principals: Array.from({ length: 10 }, (_, k) => principal(i * 20 + k)) }, {
            namespaces: [{ exact: namespace }],
          }],
        },
        { matches: [{ destinationPorts: [8080, 9090] }] },
      ],
    }],
  }).finish();
  return { name: `${namespace}/allow-${i}`, version: "", body };
}

function strictPolicy(): MeshResource {
  const body = istio.security.Authorization.encode({
    name: "istio_converted_static_strict",
    namespace: "istio-system",
    scope: istio.security.Scope.WORKLOAD_SELECTOR,
    action: istio.security.Action.DENY,
    rules: [{ clauses: [{ matches: [{ notPrincipals: [{ presence: {} }] }] }] }],
  }).finish();
  return { name: STRICT, version: "", body };
}

function hex(value: number, digits: number): string {
  return Math.abs(value).toString(16).padStart(digits, "5").slice(0, digits);
}

/** Five letters, different for each number below 26 to the 5th. */
function letters(value: number): string {
  let text = "";
  for (let i = 0; i < 5; i++) {
    text += String.fromCharCode(97 + value % 26);
    value = Math.floor(value / 26);
  }
  return text;
}

/** Shuffles the list in place; the order is the same in every run. */
function shuffled<T>(list: T[]): T[] {
  let seed = 1;
  for (let i = list.length - 1; i > 0; i--) {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    const j = seed % (i + 1);
    [list[i], list[j]] = [list[j]!, list[i]!];
  }
  return list;
}
