/** Short ways to write down a mesh, for the tests of this room. */
import { type Ip, parseIp, parseSocketAddress, type SocketAddress } from "../../net/address.ts";
import type { MeshChange } from "../model/changes.ts";
import { DEFAULT_SERVICE, DEFAULT_WORKLOAD } from "../model/defaults.ts";
import {
  EMPTY_MATCH,
  type GatewayAddress,
  keyOfPolicy,
  type Match,
  type NamespacedHostname,
  namespacedHostname,
  type NetworkAddress,
  parseNamespacedHostname,
  type Policy,
  type PortMap,
  type Service,
  type Workload,
  workloadUid,
} from "../model/model.ts";
import { MeshState } from "../state/state.ts";

export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === null) throw new Error(`no IP: ${text}`);
  return parsed;
}

export function socket(text: string): SocketAddress {
  const parsed = parseSocketAddress(text);
  if (parsed === null) throw new Error(`no socket address: ${text}`);
  return parsed;
}

/** `{80: 8080}` */
export function ports(map: Record<number, number>): PortMap {
  return new Map(Object.entries(map).map(([from, to]) => [Number(from), to]));
}

/** `network/ip` */
export function vip(text: string): NetworkAddress {
  const slash = text.indexOf("/");
  return { network: text.slice(0, slash), ip: ip(text.slice(slash + 1)) };
}

/** `network/ip` or `namespace/hostname`. */
export function gateway(text: string, hboneMtlsPort = 15008): GatewayAddress {
  const slash = text.indexOf("/");
  if (parseIp(text.slice(slash + 1)) !== null) return { kind: "address", ...vip(text), hboneMtlsPort };
  return { kind: "hostname", ...parseNamespacedHostname(text)!, hboneMtlsPort };
}

export type WorkloadWords = Partial<Omit<Workload, "uid" | "workloadIps" | "services">> & {
  readonly uid?: string;
  readonly ips?: readonly string[];
  /** By `namespace/hostname`. */
  readonly services?: Record<string, Record<number, number>>;
};

export function workload(words: WorkloadWords): MeshChange & { kind: "workload" } {
  const { uid, ips = [], services = {}, ...rest } = words;
  const endpoints = new Map(
    Object.entries(services).map(([key, map]) => [key as NamespacedHostname, ports(map)] as const),
  );
  const value: Workload = {
    ...DEFAULT_WORKLOAD,
    ...rest,
    uid: workloadUid(uid ?? `cluster1//v1/Pod/${rest.namespace ?? ""}/${rest.name ?? ""}/${ips[0] ?? ""}`),
    workloadIps: ips.map(ip),
    services: [...endpoints.keys()],
  };
  return { kind: "workload", workload: value, endpoints };
}

export type ServiceWords = Partial<Omit<Service, "key" | "vips" | "ports">> & {
  readonly vips?: readonly string[];
  readonly ports?: Record<number, number>;
};

export function service(words: ServiceWords): MeshChange & { kind: "service" } {
  const { vips = [], ports: portMap = {}, ...rest } = words;
  const value: Service = {
    ...DEFAULT_SERVICE,
    ...rest,
    key: namespacedHostname(rest.namespace ?? "", rest.hostname ?? ""),
    vips: vips.map(vip),
    ports: ports(portMap),
  };
  return { kind: "service", service: value, endpoints: [] };
}

export function policy(words: Partial<Policy>): MeshChange & { kind: "policy" } {
  const value: Policy = {
    name: "policy",
    namespace: "ns",
    scope: "Namespace",
    action: "Allow",
    dryRun: false,
    rules: [],
    ...words,
  };
  return { kind: "policy", key: keyOfPolicy(value), policy: value };
}

export function match(words: Partial<Match>): Match {
  return { ...EMPTY_MATCH, ...words };
}

export function exact(value: string) {
  return { kind: "Exact", value } as const;
}

export function stateOf(...changes: readonly MeshChange[]): MeshState {
  const state = new MeshState("local-node");
  state.apply(changes);
  return state;
}

/** A repeatable `Math.random` (mulberry32). */
export function seededRandom(seed = 1): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
