/** Short notations for meshes, used by the tests of this room. */
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

/** Parses an IP address that is known to be valid. */
export function ip(text: string): Ip {
  const parsed = parseIp(text);
  if (parsed === null) throw new Error(`no IP: ${text}`);
  return parsed;
}

/** Parses `ip:port` that is known to be valid. */
export function socket(text: string): SocketAddress {
  const parsed = parseSocketAddress(text);
  if (parsed === null) throw new Error(`no socket address: ${text}`);
  return parsed;
}

/** A port map from an object, `{80: 8080}`. */
export function ports(map: Record<number, number>): PortMap {
  return new Map(Object.entries(map).map(([from, to]) => [Number(from), to]));
}

/** Parses `network/ip`. */
export function vip(text: string): NetworkAddress {
  const slash = text.indexOf("/");
  return { network: text.slice(0, slash), ip: ip(text.slice(slash + 1)) };
}

/** Parses `network/ip` or `namespace/hostname`. */
export function gateway(text: string, hboneMtlsPort = 15008): GatewayAddress {
  const slash = text.indexOf("/");
  if (parseIp(text.slice(slash + 1)) !== null) return { kind: "address", ...vip(text), hboneMtlsPort };
  return { kind: "hostname", ...parseNamespacedHostname(text)!, hboneMtlsPort };
}

/** Fields of a workload in short notation. */
export type WorkloadFields = Partial<Omit<Workload, "uid" | "workloadIps" | "services">> & {
  readonly uid?: string;
  readonly ips?: readonly string[];
  /** By `namespace/hostname`. */
  readonly services?: Record<string, Record<number, number>>;
};

/** A change that adds a workload; fields that are not given have their defaults. */
export function workload(fields: WorkloadFields): MeshChange & { kind: "workload" } {
  const { uid, ips = [], services = {}, ...rest } = fields;
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

/** Fields of a service in short notation. */
export type ServiceFields = Partial<Omit<Service, "key" | "vips" | "ports">> & {
  readonly vips?: readonly string[];
  readonly ports?: Record<number, number>;
};

/** A change that adds a service; fields that are not given have their defaults. */
export function service(fields: ServiceFields): MeshChange & { kind: "service" } {
  const { vips = [], ports: portMap = {}, ...rest } = fields;
  const value: Service = {
    ...DEFAULT_SERVICE,
    ...rest,
    key: namespacedHostname(rest.namespace ?? "", rest.hostname ?? ""),
    vips: vips.map(vip),
    ports: ports(portMap),
  };
  return { kind: "service", service: value, endpoints: [] };
}

/** A change that adds a policy; by default it allows nothing in the namespace `ns`. */
export function policy(fields: Partial<Policy>): MeshChange & { kind: "policy" } {
  const value: Policy = {
    name: "policy",
    namespace: "ns",
    scope: "Namespace",
    action: "Allow",
    dryRun: false,
    rules: [],
    ...fields,
  };
  return { kind: "policy", key: keyOfPolicy(value), policy: value };
}

/** A match with the given lists. */
export function match(fields: Partial<Match>): Match {
  return { ...EMPTY_MATCH, ...fields };
}

/** A string match that compares for equality. */
export function exact(value: string) {
  return { kind: "Exact", value } as const;
}

/** A state of node `local-node` with these changes applied. */
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
