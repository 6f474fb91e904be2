/** The trust bundles that apply to all subjects, and the certificates that they make with an SVID. */
import { CertificateError, type IssuedCertificate } from "../../identity/authority.ts";
import { type Certificate, isMalformed, parseCertificate } from "../../identity/certificate.ts";
import { isRefusal } from "../../identity/peer_chain.ts";
import { findServerPath } from "../../identity/server_path.ts";
import type { TrustDomain } from "../../identity/spiffe_id.ts";
import { type BundleMap, sameTrust, trustOf } from "./bundles.ts";
import { issue, type Svid } from "./svid.ts";

/** Changed by the authority, read by its sessions. */
export interface SharedTrust {
  /** `CLUSTER_DOMAIN`. */
  readonly own: TrustDomain;
  /** Null: none have been received. */
  bundles: BundleMap | null;
  /** The last failure to receive bundles. */
  problem: CertificateError | null;
}

/** The current SVID of a session. `bundles`: null: {@link SharedTrust.bundles} apply. */
export interface HeldSvid {
  readonly svid: Svid;
  readonly federatesWith: readonly string[];
  readonly bundles: BundleMap | null;
}

/**
 * Returns the certificate made of the SVID and the bundles, or `before` itself where nothing has changed; null while no
 * bundles have been received. `now`: ms since the epoch.
 */
export function certificateOf(
  held: HeldSvid,
  shared: SharedTrust,
  before: IssuedCertificate | null,
  now: number,
): IssuedCertificate | CertificateError | null {
  const bundles = held.bundles ?? shared.bundles;
  if (bundles === null) return null;
  if (!isTrusted(shared.own, bundles)) return noBundle(shared.own, bundles);
  const trust = trustOf(shared.own, bundles, held.federatesWith);
  if (before !== null && before.key === held.svid.key && sameTrust(before.bundles, trust)) return before;
  try {
    return issuedBy(trust.byTrustDomain.get(shared.own) ?? [], issue(held.svid, trust, now), shared.own, now);
  } catch (error) {
    if (error instanceof CertificateError) return error;
    throw error;
  }
}

/**
 * Returns `certificate` where its path leads to one of the anchors. Otherwise all peers would refuse it: its root was
 * revoked, or the bundle with its root has not arrived yet.
 */
function issuedBy(
  anchors: readonly Uint8Array[],
  certificate: IssuedCertificate,
  own: TrustDomain,
  now: number,
): IssuedCertificate | CertificateError {
  const parsed = anchors.map(parseCertificate).filter((anchor): anchor is Certificate => !isMalformed(anchor));
  const path = findServerPath(certificate.chain, parsed, now);
  if (!isRefusal(path) || path.code !== "UNKNOWN_ISSUER") return certificate;
  return new CertificateError(
    `no root in the trust bundle of ${own} has issued the certificate of ${certificate.id} (serial ` +
      `${certificate.serial}): its root was revoked, or has not been received yet; peers would refuse it`,
    "NO_BUNDLE",
  );
}

/** Returns whether the bundles have an anchor for `trustDomain`. */
export function isTrusted(trustDomain: TrustDomain, bundles: BundleMap): boolean {
  return (bundles.get(trustDomain)?.length ?? 0) > 0;
}

function noBundle(own: TrustDomain, bundles: BundleMap): CertificateError {
  const known = [...bundles.keys()].slice(0, 8).join(", ") || "no trust domain";
  return new CertificateError(
    `invalid trust domain: No bundle found for trust domain: ${own} ` +
      `(SPIRE has bundles of ${known}; CLUSTER_DOMAIN must be SPIRE's trust domain)`,
    "NO_BUNDLE",
  );
}
