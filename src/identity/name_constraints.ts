/**
 * What names an issuer may vouch for (RFC 5280 §4.2.1.10).
 *
 * OpenSSL enforces DNS and IP constraints while it builds the path. Constraints on URIs decide which trust domains an
 * issuer speaks for, so they are enforced here as well; constraints on directory names, which nobody needs for SPIFFE
 * ids, end in a refusal (`docs/spec/identity-spire.md` 6.4, T20).
 */
import { asciiText, contextTag, type DerReader, Tag } from "./der.ts";

export interface NameConstraints {
  /** Hosts, or suffixes that begin with a dot. Null: URIs are not limited to a list. */
  readonly permittedUris: readonly string[] | null;
  readonly excludedUris: readonly string[];
  /** There is a constraint on a kind of name that is neither URI, DNS nor IP. */
  readonly unsupported: boolean;
}

const DNS = contextTag(2, false);
const URI = contextTag(6, false);
const IP = contextTag(7, false);

export function readNameConstraints(fields: DerReader): NameConstraints {
  const permitted = readSubtrees(fields, contextTag(0, true));
  const excluded = readSubtrees(fields, contextTag(1, true));
  fields.finish();
  return {
    permittedUris: permitted.uris.length > 0 ? permitted.uris : null,
    excludedUris: excluded.uris,
    unsupported: permitted.unsupported || excluded.unsupported,
  };
}

function readSubtrees(fields: DerReader, tag: number): { uris: string[]; unsupported: boolean } {
  const uris: string[] = [];
  let unsupported = false;
  if (fields.tag !== tag) return { uris, unsupported };
  const list = fields.enter(tag);
  while (!list.done) {
    const subtree = list.enter(Tag.SEQUENCE);
    const kind = subtree.tag;
    const base = subtree.take(kind);
    // `minimum` and `maximum` are not allowed in this profile.
    subtree.finish();
    if (kind === URI) uris.push(asciiText(base));
    else if (kind !== DNS && kind !== IP) unsupported = true;
  }
  return { uris, unsupported };
}

/** May an issuer with these constraints vouch for ids of `trustDomain`? */
export function permitsTrustDomain(constraints: NameConstraints, trustDomain: string): boolean {
  if (constraints.unsupported) return false;
  if (constraints.excludedUris.some((base) => covers(base, trustDomain))) return false;
  return constraints.permittedUris?.some((base) => covers(base, trustDomain)) ?? true;
}

/**
 * RFC 5280: `.example.com` covers all below `example.com` but not itself, `example.com` only itself. An empty base
 * covers everything, as in OpenSSL and Go.
 */
function covers(base: string, host: string): boolean {
  const wanted = base.toLowerCase();
  if (wanted === "") return true;
  return wanted.startsWith(".") ? host.length > wanted.length && host.endsWith(wanted) : host === wanted;
}
