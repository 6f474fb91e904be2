/** Finds the address that `--to` names, as the client would connect to it, and how a name was resolved. */
import {
  formatAddress,
  type Ip,
  isIpv4,
  parsePort,
  parseSocketAddress,
  type SocketAddress,
} from "../../net/address.ts";
import { type Mistake, mistake, nearWorkloads } from "./source.ts";
import { namespacedHostname, type Service, type Workload } from "../model/model.ts";
import { nearNames } from "./near_names.ts";
import type { Reason } from "../model/reasons.ts";
import type { ServiceEntry } from "../state/service_entry.ts";
import type { MeshState } from "../state/state.ts";

/** How the DNS proxy would answer `client`: addresses of one family, or null where the name is not in the mesh. */
export type NameLookup = (client: Workload, name: string, v4: boolean) => readonly Ip[] | null;

/** The target that was found. */
interface FoundTarget {
  readonly kind: "target";
  readonly address: SocketAddress;
  readonly because: readonly Reason[];
}

/**
 * `client`: null for one outside of the mesh. `network`: the proxy's, for such clients. `text`: `ip:port`,
 * `hostname:port` or `namespace/name:port`.
 */
export function findTarget(
  state: MeshState,
  client: Workload | null,
  network: string,
  text: string,
  lookup: NameLookup,
): FoundTarget | Mistake {
  const address = parseSocketAddress(text);
  if (address !== null) return target(address.ip, address.port, []);
  const colon = text.lastIndexOf(":");
  const port = parsePort(text.slice(colon + 1));
  const name = text.slice(0, Math.max(colon, 0));
  if (port === null || name === "" || /[:[\]]/.test(name)) {
    return mistake(
      "BAD_TARGET",
      `"${text}" names no target: write ip:port, [ipv6]:port, hostname:port or namespace/service:port`,
    );
  }
  const slash = name.indexOf("/");
  if (slash < 0) return byHostname(state, client, name.toLowerCase().replace(/\.$/, ""), port, lookup);
  return byKey(state, client?.network ?? network, name.slice(0, slash), name.slice(slash + 1), port);
}

function byHostname(
  state: MeshState,
  client: Workload | null,
  name: string,
  port: number,
  lookup: NameLookup,
): FoundTarget | Mistake {
  if (client === null) {
    return mistake(
      "BAD_TARGET",
      `a name such as ${name} means something to clients of the mesh only: write an address`,
    );
  }
  const v4 = lookup(client, name, true);
  if (v4 === null) {
    const near = nearNames(name, state.services(), ({ service }) => service.hostname);
    const message = `"${name}" is no name of the mesh for ${client.namespace}/${client.name}, whose query would be ` +
      `forwarded: write the address it resolves to`;
    return mistake("UNKNOWN_TARGET", message, near.map(({ service }) => `${service.hostname}:${port}`));
  }
  const addresses = v4.length > 0 ? v4 : lookup(client, name, false) ?? [];
  const [first] = addresses;
  if (first === undefined) {
    return mistake("BAD_TARGET", `"${name}" has no address for ${client.namespace}/${client.name}`);
  }
  return target(first, port, [{ rule: "name.dns", text: `${name} is answered with ${someOf(addresses)}` }]);
}

function byKey(
  state: MeshState,
  network: string,
  namespace: string,
  name: string,
  port: number,
): FoundTarget | Mistake {
  const services = servicesNamed(state, namespace, name);
  const workloads = workloadsNamed(state, namespace, name);
  const [service] = services;
  const [workload] = workloads;
  if (services.length + workloads.length > 1) {
    const message =
      `"${namespace}/${name}" may be any of ${services.length} services and ${workloads.length} workloads`;
    return mistake("AMBIGUOUS_TARGET", message, [
      ...services.map(({ service: { hostname } }) => `${namespace}/${hostname}:${port}`).sort(),
      ...workloads.flatMap(({ workloadIps: [ip] }) => ip === undefined ? [] : [formatAddress({ ip, port })]),
    ]);
  }
  if (service !== undefined) return ofService(state, network, service, port);
  if (workload !== undefined) return ofWorkload(workload, port);
  const near = nearNames(name, namesIn(state, namespace), (each) => each);
  const candidates = near.length > 0
    ? near.map((each) => `${namespace}/${each}`)
    : nearWorkloads(state, namespace, name);
  const message = `there is no service and no workload "${namespace}/${name}"`;
  return mistake("UNKNOWN_TARGET", message, candidates.map((each) => `${each}:${port}`));
}

function servicesNamed(state: MeshState, namespace: string, name: string): ServiceEntry[] {
  const exact = state.service(namespacedHostname(namespace, name));
  if (exact !== null) return [exact];
  return [...state.servicesNamed(namespace, name)];
}

function workloadsNamed(state: MeshState, namespace: string, name: string): Workload[] {
  return [...state.workloadsNamed(namespace, name)].filter((each) => each.name === name);
}

function* namesIn(state: MeshState, namespace: string): Iterable<string> {
  for (const { service } of state.servicesNamed(namespace, null)) yield service.name;
}

function ofService(state: MeshState, network: string, entry: ServiceEntry, port: number): FoundTarget | Mistake {
  const { service } = entry;
  const addresses = service.vips.length > 0 ? vipsOn(service, network) : endpointIps(state, entry);
  const first = addresses.find(isIpv4) ?? addresses[0];
  if (first === undefined) return mistake("BAD_TARGET", `${service.key} ${noAddress(service, network)}`);
  const text = service.vips.length > 0
    ? `${service.key} has the address ${someOf(addresses)}`
    : `${service.key} is headless, its pods have ${someOf(addresses)}`;
  return target(first, port, [{ rule: "name.service", subject: service.key, text }]);
}

function vipsOn(service: Service, network: string): Ip[] {
  return service.vips.filter((vip) => vip.network === network).map(({ ip }) => ip);
}

function endpointIps(state: MeshState, { endpoints }: ServiceEntry): Ip[] {
  return [...endpoints.keys()].flatMap((uid) => state.workload(uid)?.workloadIps.slice(0, 1) ?? []);
}

function noAddress(service: Service, network: string): string {
  if (service.cidrVips.length > 0) {
    return `has blocks of addresses only: write an address in ${service.cidrVips.map(({ cidr }) => cidr).join(", ")}`;
  }
  if (service.vips.length > 0) return `has no address on the client's network "${network}"`;
  return "has no address and no ready endpoint";
}

function ofWorkload(workload: Workload, port: number): FoundTarget | Mistake {
  const { uid, workloadIps: ips } = workload;
  const ip = ips.find(isIpv4) ?? ips[0];
  if (ip === undefined) return mistake("BAD_TARGET", `${uid} has no address`);
  return target(ip, port, [{ rule: "name.workload", subject: uid, text: `${uid} has the address ${someOf(ips)}` }]);
}

/** The addresses, shortened. The first of them is the one that is explained. */
function someOf(addresses: readonly Ip[]): string {
  const [first] = addresses;
  return addresses.length === 1
    ? `${first}`
    : `${addresses.slice(0, 5).join(", ")}${addresses.length > 5 ? ", …" : ""}`;
}

function target(ip: Ip, port: number, because: readonly Reason[]): FoundTarget {
  return { kind: "target", address: { ip, port }, because };
}
