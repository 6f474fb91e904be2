/**
 * Answers that need no server: the hosts file and special names (`docs/spec/inpod-dns.md` B5.11; RFC 6761, RFC 7686).
 */
import { type Ip, isIpv4, LOOPBACK_V4, LOOPBACK_V6, parseIp } from "../net/address.ts";
import type { Records } from "./answer_writer.ts";
import type { HostsFile } from "./hosts_file.ts";
import { CLASS_IN, NXDOMAIN, TYPE_A, TYPE_AAAA, TYPE_PTR } from "./wire.ts";

/** The answer. */
export type LocalSource =
  | { readonly kind: "records"; readonly records: Records }
  /** The name exists, but has no record of this type. */
  | { readonly kind: "empty" }
  | { readonly kind: "error"; readonly rcode: number };

/** TTL of the hosts file and of loopback names, seconds. */
const TTL = 86_400;
const EMPTY: LocalSource = Object.freeze({ kind: "empty" });
const NOT_THERE: LocalSource = Object.freeze({ kind: "error", rcode: NXDOMAIN });

/** Null: the question has to be forwarded. */
export function answerLocally(
  question: { readonly name: string; readonly type: number; readonly class: number },
  hosts: HostsFile,
): LocalSource | null {
  const { name, type } = question;
  if (question.class !== CLASS_IN) return null;
  if (isWithin(name, "invalid") || isWithin(name, "onion")) return NOT_THERE;
  const known = type === TYPE_PTR ? reverse(name, hosts) : addressesOf(name, type, hosts);
  if (known !== null) return { kind: "records", records: known };
  return isWithin(name, "localhost") ? EMPTY : null;
}

function addressesOf(name: string, type: number, hosts: HostsFile): Records | null {
  if (type !== TYPE_A && type !== TYPE_AAAA) return null;
  const wanted = (ip: Ip) => isIpv4(ip) === (type === TYPE_A);
  const listed = hosts.addresses.get(name)?.filter(wanted) ?? [];
  if (listed.length > 0) return records(listed);
  return isWithin(name, "localhost") ? records([type === TYPE_A ? LOOPBACK_V4 : LOOPBACK_V6]) : null;
}

function reverse(name: string, hosts: HostsFile): Records | null {
  const ip = ipOfReverseName(name);
  if (ip === null) return null;
  const pointer = hosts.names.get(ip) ?? (ip === LOOPBACK_V4 || ip === LOOPBACK_V6 ? "localhost" : undefined);
  return pointer === undefined ? null : { ...records([]), pointer };
}

function records(addresses: readonly Ip[]): Records {
  return { addresses, ttl: TTL, authoritative: false, aliasLabels: 0 };
}

function isWithin(name: string, zone: string): boolean {
  return name === zone || name.endsWith(`.${zone}`);
}

/**
 * The address of `1.0.0.127.in-addr.arpa` (RFC 1035 §3.5), or of 32 nibbles under `ip6.arpa` (RFC 3596 §2.5); else
 * null.
 */
function ipOfReverseName(name: string): Ip | null {
  const labels = name.split(".");
  const zone = labels.splice(-2).join(".");
  if (zone === "in-addr.arpa" && labels.length === 4) return parseIp(labels.reverse().join("."));
  if (zone !== "ip6.arpa" || labels.length !== 32 || !labels.every((label) => /^[0-9a-f]$/.test(label))) return null;
  return parseIp(labels.reverse().join("").match(/.{4}/g)!.join(":"));
}
