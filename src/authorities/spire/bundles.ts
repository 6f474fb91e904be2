/** Parses the trust bundles of agents and brokers: maps from trust domain to certificates. */
import { equalBytes, isMalformed, parseCertificate } from "../../identity/certificate.ts";
import { parseTrustDomain, type TrustDomain } from "../../identity/spiffe_id.ts";
import type { TrustBundles } from "../../identity/trust_bundles.ts";
import { splitCertificates } from "./der_list.ts";

/** Anchors in DER by trust domain; they vouch for that domain only. */
export type BundleMap = ReadonlyMap<TrustDomain, readonly Uint8Array[]>;

/** As received. Keys: `spiffe://td` or a bare name. Values: concatenated DER certificates. */
export type RawBundles = Readonly<Record<string, Uint8Array>>;

/** More anchors are refused (`docs/spec/identity-spire.md` S27). */
const MAX_ANCHORS = 10_000;

/**
 * Parses all valid entries. A malformed entry is ignored with a warning and affects only its own trust domain, so that
 * a federated domain cannot cause failures of others (`docs/spec/identity-spire.md` 4.5, S28).
 */
export function readBundles(raw: RawBundles, warn: (text: string) => void): BundleMap {
  const bundles = new Map<TrustDomain, readonly Uint8Array[]>();
  let left = MAX_ANCHORS;
  for (const [key, value] of Object.entries(raw)) {
    const trustDomain = parseTrustDomain(key);
    if (trustDomain === null || key !== trustDomain && key !== `spiffe://${trustDomain}`) {
      warn(`ignoring a trust bundle for ${JSON.stringify(key.slice(0, 256))}, which is no trust domain`);
      continue;
    }
    const anchors = readBundle(value, left);
    if (typeof anchors === "string") {
      warn(`ignoring the trust bundle of ${trustDomain}, no peer of that trust domain will be accepted: ${anchors}`);
      continue;
    }
    left -= anchors.length;
    bundles.set(trustDomain, anchors);
  }
  return bundles;
}

/** Returns the anchors of one bundle, or the problem. `limit`: the number of anchors. */
export function readBundle(value: Uint8Array, limit = MAX_ANCHORS): readonly Uint8Array[] | string {
  const anchors = splitCertificates(value, limit);
  if (anchors === null) return "malformed list of certificates, or too many of them";
  for (const der of anchors) {
    const certificate = parseCertificate(der);
    if (isMalformed(certificate)) return `malformed certificate: ${certificate.problem}`;
  }
  return anchors;
}

/**
 * Returns the bundles that a workload trusts: of its own domain and of those with which it federates
 * (`docs/spec/identity-spire.md` 5.5).
 */
export function trustOf(own: TrustDomain, bundles: BundleMap, federatesWith: readonly string[]): TrustBundles {
  const byTrustDomain = new Map<string, readonly Uint8Array[]>();
  for (const name of [own, ...federatesWith]) {
    const trustDomain = parseTrustDomain(name);
    const anchors = trustDomain === null ? undefined : bundles.get(trustDomain);
    if (trustDomain !== null && anchors !== undefined) byTrustDomain.set(trustDomain, anchors);
  }
  return { byTrustDomain, anyTrustDomain: [] };
}

/** Returns whether both have the same anchors for the same domains, in any order of domains. */
export function sameTrust(a: TrustBundles, b: TrustBundles): boolean {
  if (a.byTrustDomain.size !== b.byTrustDomain.size) return false;
  for (const [trustDomain, anchors] of a.byTrustDomain) {
    const others = b.byTrustDomain.get(trustDomain);
    if (others === undefined || !sameList(anchors, others)) return false;
  }
  return sameList(a.anyTrustDomain, b.anyTrustDomain);
}

/** Returns whether both lists have the same bytes in the same order. */
function sameList(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((bytes, i) => equalBytes(bytes, b[i]!));
}
