/**
 * Checks every issued certificate before it is used, whichever authority issued it: it must have the requested id,
 * belong to the key and not have expired (`docs/spec/identity-spire.md` S13-S15, `docs/spec/observed.md` O12).
 */
import { Buffer } from "node:buffer";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { CertificateError, type IssuedCertificate } from "./authority.ts";
import { type Certificate, equalBytes, isMalformed, parseCertificate, serialDecimal } from "./certificate.ts";
import { isRefusal, spiffeIdOfLeaf } from "./peer_chain.ts";
import { publicKeyProblem } from "./public_key.ts";
import type { SpiffeId } from "./spiffe_id.ts";
import type { TrustBundles } from "./trust_bundles.ts";

/** Longer chains are refused (`docs/spec/identity-spire.md` S27). */
const MAX_ISSUED_CHAIN = 64;

/**
 * Returns the checked certificate, its chain without duplicates and trust anchors (`docs/spec/observed.md` O9). Throws
 * {@link CertificateError}. `chain`: DER, leaf first. `key`: PKCS#8 DER. `now`: ms since the epoch. `anyId`: accept any
 * SPIFFE id in the leaf.
 */
export function checkIssued(
  expected: SpiffeId,
  chain: readonly Uint8Array[],
  key: Uint8Array,
  bundles: TrustBundles,
  now: number,
  { anyId = false } = {},
): IssuedCertificate {
  const [first] = chain;
  if (first === undefined) {
    throw new CertificateError(`chain returned from CA is empty for: ${expected}`, "EMPTY_RESPONSE");
  }
  if (chain.length > MAX_ISSUED_CHAIN) throw invalid(`chain of ${chain.length} certificates is too long`);
  const [leaf] = chain.map(readOrThrow) as [Certificate];
  const found = spiffeIdOfLeaf(leaf);
  if (found !== expected && !(anyId && typeof found === "string")) throw sanMismatch(expected, found);
  if (!equalBytes(leaf.publicKey, publicKeyOf(key))) {
    throw new CertificateError(`certificate for ${expected} is for another key`, "KEY_MISMATCH");
  }
  const problem = publicKeyProblem(leaf.publicKey);
  if (problem !== null) throw invalid(problem);
  if (now > leaf.notAfter) {
    const [when, ours] = [leaf.notAfter, now].map((time) => new Date(time).toISOString());
    throw new CertificateError(
      `certificate for ${expected} has already expired at ${when}; the clock of this node says ${ours}`,
      "EXPIRED",
    );
  }
  const { notBefore, notAfter } = leaf;
  return {
    id: expected,
    chain: withoutAnchors(chain, bundles),
    key,
    notBefore,
    notAfter,
    serial: serialDecimal(leaf.serial),
    bundles,
  };
}

function invalid(problem: string): CertificateError {
  return new CertificateError(`certificate: ${problem}`, "INVALID_CERTIFICATE");
}

function readOrThrow(der: Uint8Array): Certificate {
  const certificate = parseCertificate(der);
  if (isMalformed(certificate)) throw invalid(certificate.problem);
  return certificate;
}

function sanMismatch(expected: SpiffeId, found: ReturnType<typeof spiffeIdOfLeaf>): CertificateError {
  const cause = typeof found !== "string" && isRefusal(found) ? new Error(found.message) : undefined;
  return new CertificateError(`did not find expected SAN: ${expected}`, "SAN_MISMATCH", { cause });
}

function publicKeyOf(pkcs8: Uint8Array): Uint8Array {
  try {
    const key = createPrivateKey({ key: Buffer.from(pkcs8), format: "der", type: "pkcs8" });
    return createPublicKey(key).export({ format: "der", type: "spki" });
  } catch {
    // The error is not passed on, as its text could contain the key.
    throw new CertificateError("certificate: no key", "INVALID_CERTIFICATE");
  }
}

function withoutAnchors(chain: readonly Uint8Array[], bundles: TrustBundles): Uint8Array[] {
  const anchors = [...bundles.byTrustDomain.values(), bundles.anyTrustDomain].flat();
  const kept: Uint8Array[] = [];
  for (const der of chain) {
    const known = kept.some((other) => equalBytes(other, der)) || anchors.some((anchor) => equalBytes(anchor, der));
    if (kept.length === 0 || !known) kept.push(der);
  }
  return kept;
}
