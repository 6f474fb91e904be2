/** For tests only: the mesh of `docs/spec/inpod-dns.md` V8. */
import type { MeshChange } from "../../mesh/model/changes.ts";
import { DEFAULT_SERVICE, DEFAULT_WORKLOAD } from "../../mesh/model/defaults.ts";
import { type Endpoint, namespacedHostname, type Service, type Workload, workloadUid } from "../../mesh/model/model.ts";
import { type Ip, parseIp } from "../../net/address.ts";

const NETWORK = "nw1";

/** The workload of the pod that is served. */
export const CLIENT: Workload = {
  ...DEFAULT_WORKLOAD,
  uid: workloadUid("Kubernetes//Pod/ns1/client"),
  name: "client",
  namespace: "ns1",
  serviceAccount: "default",
  network: NETWORK,
  canonicalName: "client",
  canonicalRevision: "v1",
  workloadIps: [parseIp("127.0.0.1")!],
};

function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === null) throw new Error(`no address: ${text}`);
  return parsed;
}

/** A service. Addresses are on `nw1`, or on another network as `nw2/22.22.22.22`. */
export function service(
  namespace: string,
  hostname: string,
  addresses: readonly string[],
  fields: Partial<Service> = {},
  endpoints: readonly Endpoint[] = [],
): MeshChange {
  const vips = addresses.map((text) => {
    const [first = "", second] = text.split("/");
    return second === undefined ? { network: NETWORK, ip: ip(first) } : { network: first, ip: ip(second) };
  });
  const key = namespacedHostname(namespace, hostname);
  return {
    kind: "service",
    service: { ...DEFAULT_SERVICE, key, name: hostname, namespace, hostname, vips, ...fields },
    endpoints,
  };
}

/** A pod in the namespace `ns1`. */
function workload(name: string, ips: readonly string[]): MeshChange {
  const uid = workloadUid(`Kubernetes//Pod/ns1/${name}`);
  const value = { ...DEFAULT_WORKLOAD, uid, name, namespace: "ns1", network: NETWORK, workloadIps: ips.map(ip) };
  return { kind: "workload", workload: value, endpoints: new Map() };
}

/** The membership of such a pod in a service. */
export function endpoint(name: string): Endpoint {
  return { workloadUid: workloadUid(`Kubernetes//Pod/ns1/${name}`), ports: new Map(), status: "Healthy" };
}

/** The whole mesh except the client. */
export function fixtureChanges(): MeshChange[] {
  return [
    service("ns1", "www.google.com", ["1.1.1.1"]),
    service("ns1", "productpage.ns1.svc.cluster.local", ["9.9.9.9"]),
    service("ns2", "example.ns2.svc.cluster.local", ["10.10.10.10"]),
    service("ns2", "nslocal.ns2.svc.cluster.local", ["10.10.10.240"], { visibility: "Namespace" }),
    service("ns1", "nslocalsame.ns1.svc.cluster.local", ["10.10.10.241"], { visibility: "Namespace" }),
    service("ns2", "everywhere.io", ["10.10.10.110"]),
    service("preferred-ns", "everywhere.io", ["10.10.10.111"]),
    service("ns1", "everywhere.io", ["10.10.10.112"]),
    service("ns2", "preferred.io", ["10.10.10.210"]),
    service("preferred-ns", "preferred.io", ["10.10.10.211"]),
    service("ns2", "canonical.svc", ["10.10.10.140"]),
    service("ns3", "canonical.svc", ["10.10.10.141"], { canonical: true }),
    service("ns1", "canonical.with.local", ["10.10.10.150"]),
    service("ns2", "canonical.with.local", ["10.10.10.151"], { canonical: true }),
    service("ns2", "details.ns2.svc.cluster.remote", ["11.11.11.11", "12.12.12.12", "13.13.13.13", "14.14.14.14"]),
    service("ns1", "ipv4.localhost", ["2.2.2.2"]),
    service("ns1", "ipv6.localhost", ["2001:db8::ff00:42:8329"]),
    service("ns1", "dual.localhost", ["2.2.2.2", "2001:db8::ff00:42:8329"]),
    service("ns1", "*.wildcard", ["10.10.10.10"]),
    service("ns1", "*.b.wildcard", ["11.11.11.11"]),
    service("ns1", "*.svc.mesh.company.net", ["10.1.2.3"]),
    service("ns1", "nw2-only.ns1.svc.cluster.local", ["nw2/3.3.3.3"]),
    service("ns1", "both-networks.ns1.svc.cluster.local", ["21.21.21.21", "nw2/22.22.22.22"]),
    ...headless(),
    service("ns1", "large.com", Array.from({ length: 256 }, (_, i) => `1.1.1.${i}`)),
  ];
}

function headless(): MeshChange[] {
  return [
    workload("headless-0", ["30.30.30.30", "2001:db8::30"]),
    workload("headless-1", ["31.31.31.31", "2001:db8::31"]),
    workload("headless-2", ["33.33.33.33", "2001:db8::33"]),
    service("ns1", "headless.ns1.svc.cluster.local", [], {}, [endpoint("headless-0"), endpoint("headless-1")]),
    service("ns1", "headless-ipv6.ns1.svc.cluster.local", [], { ipFamilies: "IPv6" }, [endpoint("headless-2")]),
    service("ns1", "headless.example.com", [], {}, [endpoint("headless-0")]),
    service("ns1", "headless-no-endpoints.example.com", []),
  ];
}
