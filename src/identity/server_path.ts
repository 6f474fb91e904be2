/**
 * The path from a server's certificate to a trust anchor, by our own check of every signature.
 *
 * For connections to control planes, whose TLS is the runtime's: it takes certificates that nobody signed, as long as
 * names fit and something in the chain is malformed or not of version 3 (`docs/spec/deno-notes.md` 1.4). So everything
 * a server sends must be well-formed here, what is used of it and what is not.
 */
import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import { type Certificate, equalBytes } from "./certificate.ts";
import { certificateAt, checkLeaf, type CodedRefusal, MAX_CHAIN, parseAll, refuse } from "./peer_chain.ts";

/** Certificates a server may send: [leaf, intermediates, root, root] has been seen (`docs/spec/observed.md` O9). */
const MAX_PRESENTED = 16;
/** Each takes a millisecond, and certificates with equal names and keys give a number of paths without bound. */
const MAX_SIGNATURES = 32;

/**
 * `presented`: DER as sent, leaf first. `anchors`: parsed, their own signatures are not looked at. `now`: ms since the
 * epoch. The path begins with the leaf and ends with the anchor; what names its members may vouch for is the caller's
 * to check. Never throws.
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
  #signatures = 0;
  /** Why the first path that was complete was refused. */
  #refusal: CodedRefusal | null = null;

  constructor(
    private readonly anchors: readonly Certificate[],
    private readonly intermediates: readonly Certificate[],
    private readonly now: number,
  ) {}

  from(leaf: Certificate): readonly Certificate[] | CodedRefusal {
    return this.#extend([leaf]) ?? this.#refusal ??
      refuse("UNKNOWN_ISSUER", "no trusted root has issued the server's certificate");
  }

  /** Depth first, anchors before intermediates. */
  #extend(path: readonly Certificate[]): readonly Certificate[] | null {
    const last = path.at(-1)!;
    for (const anchor of this.anchors) {
      if (!this.#issued(anchor, last)) continue;
      const complete = [...path, anchor];
      const refusal = checkValidity(complete, this.now);
      if (refusal === null) return complete;
      this.#refusal ??= refusal;
    }
    if (path.length + 1 >= MAX_CHAIN) return null;
    for (const issuer of this.intermediates) {
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
    // A key or an algorithm that the runtime does not know: nothing is proven.
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
