/**
 * Which certification authorities speak for which trust domain.
 *
 * {@link TrustBundles} is plain data that may cross threads; {@link TrustStore} is the same ready for a handshake.
 */
import { createHash } from "node:crypto";
import { type Certificate, isMalformed, parseCertificate } from "./certificate.ts";

export interface TrustBundles {
  /** DER anchors of each trust domain that has a bundle of its own. They vouch for that domain only. */
  readonly byTrustDomain: ReadonlyMap<string, readonly Uint8Array[]>;
  /**
   * DER anchors that vouch for every domain without a bundle of its own: what Istio's CA gives, whose roots are not
   * tied to a domain (`docs/spec/identity-spire.md` 6.3, 6.5). Empty with SPIRE.
   */
  readonly anyTrustDomain: readonly Uint8Array[];
}

export const NO_BUNDLES: TrustBundles = { byTrustDomain: new Map(), anyTrustDomain: [] };

export function bundlesForAnyDomain(anchors: readonly Uint8Array[]): TrustBundles {
  return { byTrustDomain: new Map(), anyTrustDomain: anchors };
}

/** The anchors that vouch for ids of `trustDomain`. */
export function anchorsFor(bundles: TrustBundles, trustDomain: string): readonly Uint8Array[] {
  return bundles.byTrustDomain.get(trustDomain) ?? bundles.anyTrustDomain;
}

/** Names an anchor by what makes it one: subject and key. So a re-issued root is the same anchor. */
export function anchorKey(anchor: Certificate): string {
  return createHash("sha256").update(anchor.subject).update(anchor.publicKey).digest("base64");
}

/** Bundles with their anchors parsed. Immutable; a change of bundles makes a new one. */
export class TrustStore {
  /** DER of every usable anchor of every bundle, each once: what the TLS engine verifies paths against. */
  readonly anchors: readonly Uint8Array[];
  /** Why anchors were left out, for the log. */
  readonly problems: readonly string[];
  readonly #byTrustDomain = new Map<string, ReadonlySet<string>>();
  readonly #anyTrustDomain: ReadonlySet<string>;

  constructor(bundles: TrustBundles) {
    const usable = new Map<string, Uint8Array>();
    const problems: string[] = [];
    const read = (anchors: readonly Uint8Array[]) => readAnchors(anchors, usable, problems);
    for (const [domain, anchors] of bundles.byTrustDomain) this.#byTrustDomain.set(domain, read(anchors));
    this.#anyTrustDomain = read(bundles.anyTrustDomain);
    this.anchors = [...usable.values()];
    this.problems = problems;
  }

  /** Domains with a bundle of their own. */
  get trustDomains(): readonly string[] {
    return [...this.#byTrustDomain.keys()];
  }

  /** May the anchor with this {@link anchorKey} vouch for ids of `trustDomain`? */
  vouches(key: string, trustDomain: string): boolean {
    return (this.#byTrustDomain.get(trustDomain) ?? this.#anyTrustDomain).has(key);
  }
}

function readAnchors(anchors: readonly Uint8Array[], usable: Map<string, Uint8Array>, problems: string[]): Set<string> {
  const keys = new Set<string>();
  for (const der of anchors) {
    const anchor = parseCertificate(der);
    if (isMalformed(anchor)) {
      problems.push(anchor.problem);
      continue;
    }
    keys.add(anchorKey(anchor));
    usable.set(createHash("sha256").update(der).digest("base64"), der);
  }
  return keys;
}
