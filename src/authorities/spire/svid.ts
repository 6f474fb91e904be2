/** Parses and strictly checks the X509-SVIDs of agents and brokers (`docs/spec/identity-spire.md` 4.5). */
import { Buffer } from "node:buffer";
import { createPrivateKey } from "node:crypto";
import { CertificateError, type IssuedCertificate } from "../../identity/authority.ts";
import { type Certificate, isMalformed, parseCertificate } from "../../identity/certificate.ts";
import { KeyUsage } from "../../identity/certificate_extensions.ts";
import { checkIssued } from "../../identity/check_issued.ts";
import { Oid } from "../../identity/oids.ts";
import { parseSpiffeId, type SpiffeId } from "../../identity/spiffe_id.ts";
import type { TrustBundles } from "../../identity/trust_bundles.ts";
import { splitCertificates } from "./der_list.ts";

/** One SVID of a message, not parsed. */
export interface RawSvid {
  /** The id in the message. */
  readonly id: string;
  /** DER, one or more certificates in each, leaf first, no root. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. Never logged. */
  readonly key: Uint8Array;
}

/** An SVID with checked certificates. Its byte arrays are copies. */
export interface Svid {
  readonly id: SpiffeId;
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. Never logged. */
  readonly key: Uint8Array;
  /** The validity of the leaf, in ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
}

/** Longer chains are refused (`docs/spec/identity-spire.md` S27). */
const MAX_CHAIN = 64;

/**
 * Returns the SVID with the expected id; null: there is none. A pod may match several entries, of which only the one with
 * its own id is used (`docs/spec/observed.md` O17).
 */
export function chooseSvid(svids: readonly RawSvid[], expected: SpiffeId): RawSvid | null {
  return svids.find((svid) => svid.id === expected) ?? null;
}

/** Shortens and escapes text of a peer for the log. */
export function printable(text: string): string {
  return text.slice(0, 256).replace(/[^\x20-\x7e]/g, "?");
}

/** Parses an SVID and checks all that does not depend on time and trust. Never throws. */
export function readSvid(raw: RawSvid, expected: SpiffeId): Svid | CertificateError {
  const chain: Uint8Array[] = [];
  for (const block of raw.chain) {
    const parts = splitCertificates(block, MAX_CHAIN - chain.length);
    if (parts === null) return invalid("failed decoding chain of DER certificates");
    chain.push(...parts);
  }
  if (chain.length === 0) return invalid("no certificates found in chain");
  const certificates: Certificate[] = [];
  for (const der of chain) {
    const certificate = parseCertificate(der);
    if (isMalformed(certificate)) return invalid(`failed parsing X.509 certificate: ${certificate.problem}`);
    certificates.push(certificate);
  }
  const [leaf, ...signers] = certificates as [Certificate, ...Certificate[]];
  const problem = leafProblem(leaf) ?? signersProblem(signers) ?? keyProblem(raw.key);
  if (problem !== null) return invalid(problem);
  if (leaf.uris[0] !== expected) {
    const text = `Mismatched identity: expected ${expected}, got ${printable(leaf.uris[0]!)} in the certificate`;
    return new CertificateError(`invalid spiffe identity: ${text}`, "SAN_MISMATCH");
  }
  const { notBefore, notAfter } = leaf;
  return { id: expected, chain, key: raw.key.slice(), notBefore, notAfter };
}

function invalid(problem: string): CertificateError {
  return new CertificateError(`certificate is in invalid format: ${problem}`, "INVALID_CERTIFICATE");
}

function leafProblem(leaf: Certificate): string | null {
  const { keyUsage, basicConstraints, uris } = leaf;
  if (keyUsage === null) return missing(Oid.KEY_USAGE);
  if (!(keyUsage & KeyUsage.DIGITAL_SIGNATURE)) {
    return "leaf certificate must have 'digitalSignature' set as key usage";
  }
  if (keyUsage & KeyUsage.CRL_SIGN) return "leaf certificate must not have 'cRLSign' set as key usage";
  if (keyUsage & KeyUsage.KEY_CERT_SIGN) return "leaf certificate must not have 'keyCertSign' set as key usage";
  if (basicConstraints === null) return missing(Oid.BASIC_CONSTRAINTS);
  if (basicConstraints.ca) return "leaf certificate must not have CA flag set to true";
  if (uris.length === 0) return "leaf certificate misses the SPIFFE-ID in the URI SAN";
  if (uris.length > 1) return `leaf certificate has ${uris.length} URI SANs, exactly one is allowed`;
  return parseSpiffeId(uris[0]!) === null ? "failed parsing SPIFFE ID from certificate URI SAN" : null;
}

function signersProblem(signers: readonly Certificate[]): string | null {
  for (const { basicConstraints, keyUsage } of signers) {
    if (basicConstraints === null) return missing(Oid.BASIC_CONSTRAINTS);
    if (!basicConstraints.ca) return "signing certificate must have CA flag set to true";
    if (keyUsage === null) return missing(Oid.KEY_USAGE);
    if (!(keyUsage & KeyUsage.KEY_CERT_SIGN)) {
      return "signing certificate must have 'keyCertSign' set as key usage";
    }
  }
  return null;
}

function missing(oid: string): string {
  return `X.509 extension is missing: ${oid}`;
}

function keyProblem(key: Uint8Array): string | null {
  try {
    createPrivateKey({ key: Buffer.from(key), format: "der", type: "pkcs8" });
    return null;
  } catch {
    // The error is not passed on, as its text could contain the key.
    return "failed decoding PKCS#8 private key";
  }
}

/** Makes the certificate for the data plane. Throws {@link CertificateError} where it has expired or has another key. */
export function issue(svid: Svid, bundles: TrustBundles, now: number): IssuedCertificate {
  return checkIssued(svid.id, svid.chain, svid.key, bundles, now);
}
