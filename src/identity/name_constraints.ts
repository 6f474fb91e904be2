/**
 * The name constraints of an issuer (RFC 5280 §4.2.1.10).
 *
 * Constraints on URIs limit the trust domains for which an issuer may issue, those on DNS names and addresses limit the
 * servers. An issuer with constraints on any other kind of name is refused (`docs/spec/identity-spire.md` 6.4, T20).
 */
import { asciiText, contextTag, DerError, type DerReader, Tag } from "./der.ts";

/** An address and its mask, 4 or 16 bytes each. */
interface Subnet {
  readonly address: Uint8Array;
  readonly mask: Uint8Array;
}

/** Parsed constraints. Null: all names of this kind are permitted. */
export interface NameConstraints {
  /** Host names, or suffixes that begin with a dot. */
  readonly permittedUris: readonly string[] | null;
  readonly excludedUris: readonly string[];
  /** Each covers its name and all subdomains. */
  readonly permittedDns: readonly string[] | null;
  readonly excludedDns: readonly string[];
  readonly permittedSubnets: readonly Subnet[] | null;
  readonly excludedSubnets: readonly Subnet[];
  /** True for a constraint on a kind of name that is neither URI, DNS nor IP. */
  readonly unsupported: boolean;
}

const DNS = contextTag(2, false);
const URI = contextTag(6, false);
const IP = contextTag(7, false);

/** Parses the contents of the extension's SEQUENCE. Throws {@link DerError}. */
export function readNameConstraints(fields: DerReader): NameConstraints {
  const permitted = readSubtrees(fields, contextTag(0, true));
  const excluded = readSubtrees(fields, contextTag(1, true));
  fields.finish();
  return {
    permittedUris: orNull(permitted.uris),
    excludedUris: excluded.uris,
    permittedDns: orNull(permitted.dns),
    excludedDns: excluded.dns,
    permittedSubnets: orNull(permitted.subnets),
    excludedSubnets: excluded.subnets,
    unsupported: permitted.unsupported || excluded.unsupported,
  };
}

function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length > 0 ? list : null;
}

interface Subtrees {
  readonly uris: string[];
  readonly dns: string[];
  readonly subnets: Subnet[];
  unsupported: boolean;
}

function readSubtrees(fields: DerReader, tag: number): Subtrees {
  const subtrees: Subtrees = { uris: [], dns: [], subnets: [], unsupported: false };
  if (fields.tag !== tag) return subtrees;
  const list = fields.enter(tag);
  while (!list.done) {
    const subtree = list.enter(Tag.SEQUENCE);
    const kind = subtree.tag;
    const base = subtree.take(kind);
    // RFC 5280 does not allow `minimum` other than 0, or `maximum`.
    subtree.finish();
    if (kind === URI) subtrees.uris.push(asciiText(base));
    else if (kind === DNS) subtrees.dns.push(asciiText(base));
    else if (kind === IP) subtrees.subnets.push(readSubnet(base));
    else subtrees.unsupported = true;
  }
  return subtrees;
}

function readSubnet(base: Uint8Array): Subnet {
  if (base.length !== 8 && base.length !== 32) throw new DerError("malformed IP address constraint");
  const size = base.length / 2;
  return { address: base.subarray(0, size), mask: base.subarray(size) };
}

/** Returns whether an issuer with these constraints may issue for ids of `trustDomain`. */
export function permitsTrustDomain(constraints: NameConstraints, trustDomain: string): boolean {
  if (constraints.unsupported) return false;
  if (constraints.excludedUris.some((base) => covers(base, trustDomain))) return false;
  return constraints.permittedUris?.some((base) => covers(base, trustDomain)) ?? true;
}

/** Returns whether an issuer with these constraints may issue for this DNS name, which may begin with `*.`. */
export function permitsDnsName(constraints: NameConstraints, name: string): boolean {
  if (constraints.unsupported) return false;
  const host = name.toLowerCase();
  // A wildcard is refused if any name that it matches is excluded.
  const parent = host.startsWith("*.") ? host.slice(2) : null;
  const excluded = constraints.excludedDns.some((base) =>
    coversDns(base, host) || parent !== null && coversDns(`.${parent}`, base.toLowerCase())
  );
  return !excluded && (constraints.permittedDns?.some((base) => coversDns(base, host)) ?? true);
}

/** RFC 5280: a base covers itself and all subdomains; with a leading dot, which the RFC does not define, only these. */
function coversDns(base: string, host: string): boolean {
  const pattern = base.toLowerCase();
  if (pattern === "" || host === pattern) return true;
  return host.endsWith(pattern.startsWith(".") ? pattern : `.${pattern}`);
}

/** Returns whether an issuer with these constraints may issue for this address of 4 or 16 bytes. */
export function permitsAddress(constraints: NameConstraints, address: Uint8Array): boolean {
  if (constraints.unsupported) return false;
  if (constraints.excludedSubnets.some((subnet) => contains(subnet, address))) return false;
  return constraints.permittedSubnets?.some((subnet) => contains(subnet, address)) ?? true;
}

function contains({ address, mask }: Subnet, ip: Uint8Array): boolean {
  return ip.length === address.length && ip.every((byte, i) => (byte & mask[i]!) === (address[i]! & mask[i]!));
}

/**
 * RFC 5280: `.example.com` covers all subdomains of `example.com` but not itself, `example.com` only itself. An empty
 * base covers everything, as in OpenSSL and Go.
 */
function covers(base: string, host: string): boolean {
  const pattern = base.toLowerCase();
  if (pattern === "") return true;
  return pattern.startsWith(".") ? host.length > pattern.length && host.endsWith(pattern) : host === pattern;
}
