/**
 * Describes, for the log, a certificate that the TLS engine refused: the identity that it claims, and the likely reason.
 * None of this is verified.
 */
import { type Certificate, isMalformed, parseCertificate } from "./certificate.ts";
import { spiffeIdOfLeaf } from "./peer_chain.ts";
import { trustDomainOf } from "./spiffe_id.ts";
import type { TrustStore } from "./trust_bundles.ts";

/**
 * Returns text to append to the engine's reason; empty where there is nothing to add. `leaf`: DER. `trust`: the anchors
 * of the side that refused it. `now`: ms since the epoch.
 */
export function explainLeaf(leaf: Uint8Array, trust: TrustStore, now: number): string {
  const certificate = parseCertificate(leaf);
  if (isMalformed(certificate)) return "";
  const id = spiffeIdOfLeaf(certificate);
  if (typeof id !== "string") return wrongTime(certificate, now);
  return ` (it claims to be ${id})${wrongTime(certificate, now) || unknownDomain(trustDomainOf(id), trust)}`;
}

function wrongTime({ notBefore, notAfter }: Certificate, now: number): string {
  if (now >= notBefore && now <= notAfter) return "";
  const [from, until, ours] = [notBefore, notAfter, now].map((time) => new Date(time).toISOString());
  return `; it is valid from ${from} until ${until}, and the clock of this node says ${ours}`;
}

/** Applies only where each trust domain has its own bundle, as with SPIRE. */
function unknownDomain(trustDomain: string, trust: TrustStore): string {
  const known = trust.trustDomains;
  if (known.length === 0 || known.includes(trustDomain)) return "";
  return `; trust domain ${trustDomain} is not federated: trusted are ${
    known.slice(0, 8).join(", ")
  }. With SPIRE the ` +
    `registration entry of the workload here needs -federatesWith spiffe://${trustDomain}`;
}
