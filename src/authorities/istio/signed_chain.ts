/** Parses the response of Istio's CA: PEM texts, leaf first, all roots in the last one (`docs/spec/identity-spire.md` 3.5). */
import { CertificateError } from "../../identity/authority.ts";
import { isMalformed, parseCertificate } from "../../identity/certificate.ts";
import { decodePem, isPemProblem } from "../../identity/pem.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";

/** The parsed response. */
export interface SignedChain {
  /** DER, leaf first. */
  readonly chain: readonly Uint8Array[];
  /** DER, at least one; all of them can be parsed. */
  readonly roots: readonly Uint8Array[];
}

/** Longer chains are refused (`docs/spec/identity-spire.md` S27). */
const MAX_CHAIN = 64;

/**
 * Parses the response for `id`. `texts`: as received. `warn`: called for roots that are ignored. Throws
 * {@link CertificateError}.
 */
export function parseSignedChain(texts: readonly string[], id: SpiffeId, warn: (text: string) => void): SignedChain {
  const [leaf, ...rest] = texts;
  const last = rest.pop();
  if (leaf === undefined) {
    throw new CertificateError(`chain returned from CA is empty for: ${id}`, "EMPTY_RESPONSE");
  }
  if (last === undefined) {
    warn(`no chain certs for: ${id}`);
    throw wrapped("invalid root certificate: no root certificate present");
  }
  if (rest.length >= MAX_CHAIN) throw wrapped(`certificate: chain of ${texts.length} certificates is too long`);
  return { chain: [leaf, ...rest].map(firstCertificate), roots: readRoots(last, warn) };
}

function readRoots(text: string, warn: (text: string) => void): Uint8Array[] {
  const all = certificatesOf(text);
  const usable = all.filter((der) => !isMalformed(parseCertificate(der)));
  if (usable.length < all.length) warn(`found ${all.length - usable.length} invalid root certs`);
  if (usable.length === 0) throw wrapped("invalid root certificate: no root certificate present");
  return usable;
}

function firstCertificate(text: string): Uint8Array {
  const [first] = certificatesOf(text);
  if (first === undefined) throw wrapped("certificate: no certificate");
  return first;
}

function certificatesOf(text: string): Uint8Array[] {
  const blocks = decodePem(text);
  if (isPemProblem(blocks)) throw wrapped(`certificate: ${blocks.problem}`);
  const other = blocks.find(({ label }) => label !== "CERTIFICATE");
  if (other !== undefined) throw wrapped(`certificate: no certificate, but a PEM block ${other.label}`);
  return blocks.map(({ der }) => der);
}

/** Adds the prefix of the Rust ztunnel (`docs/spec/identity-spire.md` 1.6). */
function wrapped(problem: string): CertificateError {
  return new CertificateError(`failed to create CSR: ${problem}`, "SIGNING");
}
