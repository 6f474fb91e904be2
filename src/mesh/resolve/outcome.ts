/** Outcomes that inbound and outbound resolution share. */
import type { Ip } from "../../net/address.ts";
import { isIpv4 } from "../../net/address.ts";
import type { NamespacedHostname, Workload } from "../model/model.ts";
import type { Random } from "../state/endpoint_pool.ts";
import type { Reason } from "../model/reasons.ts";

/** Stable names of the reasons for a refusal. */
export type RefusalCode =
  | "RECURSIVE_CALL"
  | "NO_HEALTHY_UPSTREAM"
  | "NO_SERVICE_FOR_TARGET"
  | "NO_VALID_DESTINATION"
  | "UNKNOWN_WAYPOINT"
  | "UNKNOWN_NETWORK_GATEWAY"
  | "NAME_NOT_RESOLVED"
  | "NOT_CONNECT"
  | "INVALID_AUTHORITY"
  | "IP_MISMATCH"
  | "UNKNOWN_HOSTNAME"
  | "UNRESOLVED_PORT"
  | "NO_VIP"
  | "APPLICATION_TUNNEL";

/** The connection must not be made. */
export interface Refusal {
  readonly kind: "refusal";
  readonly code: RefusalCode;
  /** The text of the access log (`docs/spec/dataplane.md` 9). */
  readonly message: string;
  readonly because: readonly Reason[];
}

/**
 * Something is missing in the state, and the control plane may have it: request `name` from it, add `name` to `asked`
 * and resolve again. Happens only with on-demand lookups (`docs/spec/xds-state.md` 2.9).
 */
export interface NeedsLookup {
  readonly kind: "needs-lookup";
  /** The name of the xDS resource: `network/ip` or `namespace/hostname`. */
  readonly name: string;
}

/** Names that were already requested from the control plane; null: on-demand lookups are off. */
export type Asked = ReadonlySet<string> | null;

/** The on-demand lookup of an address; null where it was done already, or lookups are off. */
export function needsAddress(asked: Asked, network: string, ip: Ip): NeedsLookup | null {
  return asked === null ? null : needsName(asked, `${network}/${ip}`);
}

/** The on-demand lookup of a service; null where it was done already, or lookups are off. */
export function needsHostname(asked: Asked, key: NamespacedHostname): NeedsLookup | null {
  return asked === null ? null : needsName(asked, key);
}

function needsName(asked: ReadonlySet<string>, name: string): NeedsLookup | null {
  return asked.has(name) ? null : { kind: "needs-lookup", name };
}

/** Message for a connection to one of this proxy's own ports. */
export const RECURSIVE_CALL = "attempted recursive call to ourselves";

/** One address of a DNS answer: of the wanted family where there is one. Null: the answer is empty. */
export function chooseAnswer(answer: readonly Ip[], family: "ipv4" | "ipv6", random: Random): Ip | null {
  const wanted = answer.filter((ip) => isIpv4(ip) === (family === "ipv4"));
  const among = wanted.length > 0 ? wanted : answer;
  return among[Math.floor(random() * among.length)] ?? null;
}

/** Message for a failed lookup of a workload's host name. */
export function lookupFailed(workload: Workload): string {
  return `no ip addresses were resolved for workload: ${workload.uid}`;
}

/** Message for a lookup without addresses in its answer. */
export function lookupEmpty(workload: Workload): string {
  return `ip addresses were resolved for workload ${workload.uid}, but valid dns response had no A/AAAA records`;
}
