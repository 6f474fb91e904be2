/** Values in the rules of AuthorizationPolicies, with the checks that istiod makes. */
import { parseIp } from "../../net/address.ts";
import { type Cidr, parseCidr } from "../model/cidr.ts";
import type { ServiceAccountMatch, StringMatch } from "../model/model.ts";
import type { Field } from "../static_file/field.ts";

const PORT_MAX = 65_535;
/** Largest length of a service account, and of a list of them. */
const ACCOUNT_MAX = 320, ACCOUNTS_MAX = 16;

/** A text that is not empty. */
export function readText(field: Field): string {
  const text = field.string();
  return text === "" ? field.fail("a text that is not empty") : text;
}

/** A text where `*` at one end stands for any text. */
export function readPattern(field: Field): StringMatch {
  const text = readText(field);
  if (text === "*") return { kind: "Presence" };
  if (text.startsWith("*")) return { kind: "Suffix", value: text.slice(1) };
  if (text.endsWith("*")) return { kind: "Prefix", value: text.slice(0, -1) };
  return { kind: "Exact", value: text };
}

/** Ports are texts in Istio's API. */
export function readPort(field: Field): number {
  const text = field.string("a port as a text in quotes");
  // Leading zeros are allowed.
  const port = /^[0-9]+$/.test(text) ? Number(text) : NaN;
  return port <= PORT_MAX ? port : field.fail(`a port from 0 to ${PORT_MAX}`);
}

/** An address, or a block with the length of its prefix. */
export function readBlock(field: Field): Cidr {
  return field.parsed("an IP address, or a block such as 10.0.0.0/24", parseBlock);
}

/** `namespace/account`, or `account` in the policy's namespace. */
function readServiceAccount(field: Field, policyNamespace: string): ServiceAccountMatch {
  const text = field.string();
  const parts = text.split("/");
  if (parts.length > 2 || parts.includes("") || text.includes("*") || text.length > ACCOUNT_MAX) {
    return field.fail(`account or namespace/account, without *, of at most ${ACCOUNT_MAX} characters`);
  }
  const [first = "", second] = parts;
  return second === undefined
    ? { namespace: policyNamespace, serviceAccount: first }
    : { namespace: first, serviceAccount: second };
}

/** Service accounts of one list. */
export function readServiceAccounts(list: readonly Field[], policyNamespace: string): ServiceAccountMatch[] {
  list[ACCOUNTS_MAX]?.reject(`a list of service accounts has more than ${ACCOUNTS_MAX} values`);
  return list.map((item) => readServiceAccount(item, policyNamespace));
}

/**
 * Null: it is neither an address nor a block. Unlike {@link parseIp}, IPv4-mapped addresses stay IPv6 ones, as they do on
 * the way from istiod.
 */
export function parseBlock(text: string): Cidr | null {
  const slash = text.indexOf("/");
  const address = slash < 0 ? text.replace(/(?<=:.*)%.+$/, "") : text.slice(0, slash);
  if (!address.includes(":")) return parseCidr(slash < 0 ? `${address}/32` : text);
  const ip = canonicalIpv6(address);
  return ip === null ? null : parseCidr(`${ip}/${slash < 0 ? "128" : text.slice(slash + 1)}`);
}

/** Null: no IPv6 address. An IPv4 part is allowed behind any groups (RFC 4291 §2.2). */
function canonicalIpv6(text: string): string | null {
  const groups = hexadecimal(text)?.split(":") ?? [];
  if (groups.some((group) => group.length > 4)) return null;
  const gaps = groups.filter((group) => group === "").length;
  // The gap stands for one group at least.
  if (gaps > 0 && groups.length - gaps >= 8) return null;
  const ip = parseIp(groups.join(":"));
  return ip === null || ip.includes(":") ? ip : `::ffff:${ip}`;
}

/** Replaces an IPv4 part by two groups. Null: it is not valid. */
function hexadecimal(text: string): string | null {
  const colon = text.lastIndexOf(":");
  const tail = text.slice(colon + 1);
  if (!tail.includes(".")) return text;
  if (parseIp(tail) === null) return null;
  const [a = 0, b = 0, c = 0, d = 0] = tail.split(".").map(Number);
  return `${text.slice(0, colon + 1)}${(a << 8 | b).toString(16)}:${(c << 8 | d).toString(16)}`;
}
