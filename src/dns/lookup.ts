/** Whether a name is of the mesh, and its addresses for this client (`docs/spec/inpod-dns.md` B5.4 to B5.9). */
import type { ServiceEntry } from "../mesh/state/service_entry.ts";
import { bestService, isVisible } from "../mesh/state/service_choice.ts";
import type { Workload } from "../mesh/model/model.ts";
import type { MeshState } from "../mesh/state/state.ts";
import { type Ip, isIpv4 } from "../net/address.ts";
import type { Fields } from "../telemetry/log_fields.ts";
import { aliasesOf, clusterSearchDomains, throughWildcards } from "./aliases.ts";
import { TYPE_A, TYPE_AAAA } from "./wire.ts";

/** Settings of name lookups. */
export interface LookupSettings {
  readonly clusterDomain: string;
  /** Null: the search domains of the client's namespace (shared mode). */
  readonly searchDomains: readonly string[] | null;
  readonly preferredServiceNamespace: string | null;
  /** False: names of the mesh have no AAAA records. */
  readonly ipv6: boolean;
}

/** What is looked up. */
interface Question {
  /** Lower case, without a final dot. */
  readonly name: string;
  readonly type: number;
}

/** Called with events of a lookup that are worth a log line; null: not needed. */
export type Notice = ((message: string, fields: Fields) => void) | null;

/** The result in the words of the access log. */
type LocalResult = "success" | "no records" | "service does not support this record type";

/** An answer from the mesh. */
export interface LocalAnswer {
  readonly result: LocalResult;
  readonly addresses: readonly Ip[];
  /** A CNAME leads to the first so many labels of the name; 0: there is no CNAME. */
  readonly aliasLabels: number;
}

/** Looks up A and AAAA records. Null: the name is not of the mesh. `random`, in [0, 1), shuffles the addresses. */
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
  // Most queries have the full name of a service.
  const itself = find(name);
  if (itself !== null) return { entry: itself, aliasLabels: 0 };
  const searchDomains = settings.searchDomains ?? clusterSearchDomains(client.namespace, clusterDomain);
  for (const alias of aliasesOf(name, { namespace: client.namespace, clusterDomain, searchDomains })) {
    const entry = throughWildcards(alias.name, find);
    if (entry === null) continue;
    // A name that only a wildcard covers gets no CNAME (B5.9).
    const hasAlias = alias.stripped !== null && !entry.service.hostname.startsWith("*.");
    return { entry, aliasLabels: hasAlias ? labelCount(alias.stripped) : 0 };
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
  { clusterDomain, preferredServiceNamespace }: LookupSettings,
  notice: Notice,
): ServiceEntry | null {
  const all = state.servicesByHostname(hostname);
  if (all.length === 0) return null;
  const usable = all.every((entry) => isEligible(entry, clusterDomain))
    ? all
    : all.filter((entry) => isEligible(entry, clusterDomain));
  if (notice !== null) { for (const entry of usable) noticeHidden(entry, client, notice); }
  return bestService(usable, client.namespace, preferredServiceNamespace);
}

/** Whether DNS may answer for it: it has a virtual address, or is a headless service of Kubernetes. */
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

/** Shuffles in place; every order is equally likely. */
function shuffled(addresses: Ip[], random: () => number): Ip[] {
  for (let last = addresses.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    const ip = addresses[last]!;
    addresses[last] = addresses[other]!;
    addresses[other] = ip;
  }
  return addresses;
}
