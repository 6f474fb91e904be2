/** Is a name one of the mesh, and which addresses has it for this client (`docs/spec/inpod-dns.md` B5.4 to B5.9). */
import type { ServiceEntry } from "../mesh/state/service_entry.ts";
import { bestService, isVisible } from "../mesh/state/service_choice.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { type Ip, isIpv4 } from "../net/address.ts";
import type { Fields } from "../telemetry/log_fields.ts";
import { aliasesOf, clusterSearchDomains, throughWildcards } from "./aliases.ts";
import { TYPE_A, TYPE_AAAA } from "./wire.ts";

export interface LookupSettings {
  readonly clusterDomain: string;
  /** Null: those of the client's namespace (shared mode). */
  readonly searchDomains: readonly string[] | null;
  readonly preferredNamespace: string | null;
  /** False: AAAA of what we know is always empty. */
  readonly ipv6: boolean;
}

export interface Question {
  /** Lower case, without a final dot. */
  readonly name: string;
  readonly type: number;
}

/** Told what a look-up came across; null where nobody listens. */
export type Notice = ((message: string, fields: Fields) => void) | null;

/** As the access log says it. */
export type LocalResult = "success" | "no records" | "service does not support this record type";

export interface LocalAnswer {
  readonly result: LocalResult;
  readonly addresses: readonly Ip[];
  /** Labels of the name that the answer's CNAME leads to; 0: there is none. */
  readonly aliasLabels: number;
}

/** Null: nothing of ours, to be forwarded. `random` in [0, 1) shuffles the addresses. */
export function lookup(
  state: MeshState,
  client: Workload,
  question: Question,
  settings: LookupSettings,
  random: () => number,
  notice: Notice = null,
): LocalAnswer | null {
  const { type } = question;
  if (type !== TYPE_A && type !== TYPE_AAAA) return null;
  const match = findService(state, client, question.name, settings, notice);
  if (match === null) return null;
  const { entry } = match;
  const v4 = type === TYPE_A;
  if (!answersFamily(entry, v4, settings.ipv6)) return UNSUPPORTED;
  const addresses = shuffled(addressesOf(state, entry, client, v4, notice), random);
  return addresses.length === 0 ? NO_RECORDS : { result: "success", addresses, aliasLabels: match.aliasLabels };
}

const UNSUPPORTED: LocalAnswer = Object.freeze({
  result: "service does not support this record type",
  addresses: [],
  aliasLabels: 0,
});
const NO_RECORDS: LocalAnswer = Object.freeze({ result: "no records", addresses: [], aliasLabels: 0 });

interface Match {
  readonly entry: ServiceEntry;
  readonly aliasLabels: number;
}

function findService(
  state: MeshState,
  client: Workload,
  name: string,
  settings: LookupSettings,
  notice: Notice,
): Match | null {
  const { clusterDomain } = settings;
  const find = (hostname: string) => choose(state, client, hostname, settings, notice);
  // Most queries are for the name of a service itself.
  const itself = find(name);
  if (itself !== null) return { entry: itself, aliasLabels: 0 };
  const searchDomains = settings.searchDomains ?? clusterSearchDomains(client.namespace, clusterDomain);
  for (const alias of aliasesOf(name, { namespace: client.namespace, clusterDomain, searchDomains })) {
    const entry = throughWildcards(alias.name, find);
    if (entry === null) continue;
    // What a wildcard covers has no name of its own to lead to (B5.9).
    const leads = alias.stripped !== null && !entry.service.hostname.startsWith("*.");
    return { entry, aliasLabels: leads ? labelCount(alias.stripped) : 0 };
  }
  return null;
}

function labelCount(name: string): number {
  return name.split(".").length;
}

function choose(
  state: MeshState,
  client: Workload,
  hostname: string,
  { clusterDomain, preferredNamespace }: LookupSettings,
  notice: Notice,
): ServiceEntry | null {
  const all = state.servicesByHostname(hostname);
  if (all.length === 0) return null;
  const usable = all.every((entry) => isEligible(entry, clusterDomain))
    ? all
    : all.filter((entry) => isEligible(entry, clusterDomain));
  if (notice !== null) { for (const entry of usable) noticeHidden(entry, client, notice); }
  return bestService(usable, client.namespace, preferredNamespace);
}

/** It has an address of its own, or its pods' addresses are its own (headless services of Kubernetes). */
function isEligible({ service }: ServiceEntry, clusterDomain: string): boolean {
  return service.vips.length > 0 || service.hostname.endsWith(`.svc.${clusterDomain}`);
}

function noticeHidden({ service }: ServiceEntry, client: Workload, notice: NonNullable<Notice>): void {
  if (isVisible(service, client.namespace)) return;
  notice("visibility filtering: service not visible to client namespace", {
    hostname: service.hostname,
    service_namespace: service.namespace,
    client_namespace: client.namespace,
  });
}

function answersFamily({ service: { ipFamilies } }: ServiceEntry, v4: boolean, ipv6: boolean): boolean {
  return v4 ? ipFamilies !== "IPv6" : ipv6 && ipFamilies !== "IPv4";
}

function addressesOf(state: MeshState, entry: ServiceEntry, client: Workload, v4: boolean, notice: Notice): Ip[] {
  const { vips } = entry.service;
  if (vips.length === 0) return endpointAddresses(state, entry, v4, notice);
  const addresses: Ip[] = [];
  for (const { network, ip } of vips) {
    if (network === client.network && isIpv4(ip) === v4) addresses.push(ip);
  }
  return addresses;
}

function endpointAddresses(state: MeshState, entry: ServiceEntry, v4: boolean, notice: Notice): Ip[] {
  const addresses: Ip[] = [];
  for (const uid of entry.endpoints.keys()) {
    const workload = state.workload(uid);
    if (workload === null) {
      notice?.(`failed to fetch workload for ${uid}`, {});
      continue;
    }
    const ip = workload.workloadIps.find((each) => isIpv4(each) === v4);
    if (ip !== undefined) addresses.push(ip);
  }
  return addresses;
}

/** In place; each order is as likely as any other. */
function shuffled(addresses: Ip[], random: () => number): Ip[] {
  for (let last = addresses.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const ip = addresses[last]!;
    addresses[last] = addresses[other]!;
    addresses[other] = ip;
  }
  return addresses;
}
