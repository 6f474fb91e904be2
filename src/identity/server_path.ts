/**
 * Finds the path from a server's certificate to a trust anchor and checks every signature on it.
 *
 * For connections to control planes, which use the runtime's TLS. The runtime accepts certificates without a valid
 * signature if the names match and a certificate of the chain is malformed or not of version 3
 * (`docs/spec/deno-notes.md` 1.4). Therefore all certificates that a server sends must be well-formed, also unused ones.
 */
import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import { type Certificate, equalBytes } from "./certificate.ts";
import { certificateAt, checkLeaf, type CodedRefusal, MAX_CHAIN, parseAll, refuse } from "./peer_chain.ts";

/** How many certificates a server may send. istiod sends its root twice (`docs/spec/observed.md` O9). */
const MAX_PRESENTED = 16;
/**
 * How many signatures are verified per chain. Each takes about a millisecond, and the number of possible paths grows
 * exponentially with certificates of equal names and keys.
 */
const MAX_SIGNATURES = 32;

/**
 * Returns the path from the leaf to the anchor; the caller checks its names and issuers (`server_name.ts`). Never
 * throws. `presented`: DER as sent, leaf first. `anchors`: parsed; their own signatures are not checked. `now`: ms since
 * the epoch.
 */
export function findServerPath(
  presented: readonly Uint8Array[],
  anchors: readonly Certificate[],
  now: number,
): readonly Certificate[] | CodedRefusal {
  if (presented.length === 0) return refuse("NO_CERTIFICATE", "server sent no certificate");
  if (presented.length > MAX_PRESENTED) {
    return refuse("CHAIN_TOO_LONG", `server sent ${presented.length} certificates, at most ${MAX_PRESENTED} are taken`);
  }
  const parsed = parseAll(presented);
  if (!Array.isArray(parsed)) return parsed;
  const [leaf, ...others] = parsed as [Certificate, ...Certificate[]];
  const refusal = checkLeaf(leaf, "server");
  if (refusal !== null) return refusal;
  return new Search(anchors, others, now).from(leaf);
}

class Search {
  readonly #anchors: readonly Certificate[];
  readonly #intermediates: readonly Certificate[];
  readonly #now: number;
  #signatures = 0;
  /** Why the first complete path was refused. */
  #refusal: CodedRefusal | null = null;

  constructor(anchors: readonly Certificate[], intermediates: readonly Certificate[], now: number) {
    this.#anchors = anchors;
    this.#intermediates = intermediates;
    this.#now = now;
  }

  from(leaf: Certificate): readonly Certificate[] | CodedRefusal {
    return this.#extend([leaf]) ?? this.#refusal ??
      refuse("UNKNOWN_ISSUER", "no trusted root has issued the server's certificate");
  }

  /** Depth first, anchors before intermediates. */
  #extend(path: readonly Certificate[]): readonly Certificate[] | null {
    const last = path.at(-1)!;
    for (const anchor of this.#anchors) {
      if (!this.#issued(anchor, last)) continue;
      const complete = [...path, anchor];
      const refusal = checkValidity(complete, this.#now);
      if (refusal === null) return complete;
      this.#refusal ??= refusal;
    }
    if (path.length + 1 >= MAX_CHAIN) return null;
    for (const issuer of this.#intermediates) {
      if (path.includes(issuer) || !this.#issued(issuer, last)) continue;
      const found = this.#extend([...path, issuer]);
      if (found !== null) return found;
    }
    return null;
  }

  #issued(issuer: Certificate, certificate: Certificate): boolean {
    if (!equalBytes(issuer.subject, certificate.issuer)) return false;
    const { authorityKeyId } = certificate;
    const { subjectKeyId } = issuer;
    if (authorityKeyId !== null && subjectKeyId !== null && !equalBytes(authorityKeyId, subjectKeyId)) return false;
    return ++this.#signatures <= MAX_SIGNATURES && isSignedBy(certificate, issuer);
  }
}

function isSignedBy(certificate: Certificate, issuer: Certificate): boolean {
  try {
    const key = new X509Certificate(Buffer.from(issuer.der)).publicKey;
    return new X509Certificate(Buffer.from(certificate.der)).verify(key);
  } catch {
    // The runtime does not support the key or the algorithm.
    return false;
  }
}

function checkValidity(path: readonly Certificate[], now: number): CodedRefusal | null {
  for (const [depth, { notBefore, notAfter }] of path.entries()) {
    if (now > notAfter) {
      return refuse("EXPIRED", `${certificateAt(depth)} expired at ${new Date(notAfter).toISOString()}`);
    }
    if (now < notBefore) {
      const from = new Date(notBefore).toISOString();
      return refuse("NOT_YET_VALID", `${certificateAt(depth)} is not valid before ${from}`);
    }
  }
  return null;
}
