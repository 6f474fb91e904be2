/**
 * Which certification authorities may vouch for which trust domain.
 *
 * {@link TrustBundles} is plain data that may be sent to other threads; {@link TrustStore} is its parsed form for
 * handshakes.
 */
import { type Certificate, isMalformed, parseCertificate } from "./certificate.ts";
import { sha256Text } from "./sha256.ts";

/** Trust anchors by trust domain. */
export interface TrustBundles {
  /** Anchors, in DER, of each trust domain that has its own bundle. They vouch for that domain only. */
  readonly byTrustDomain: ReadonlyMap<string, readonly Uint8Array[]>;
  /**
   * Anchors, in DER, that vouch for every domain without its own bundle: the roots of Istio's CA, which are not bound to
   * a domain (`docs/spec/identity-spire.md` 6.3, 6.5). Empty with SPIRE.
   */
  readonly anyTrustDomain: readonly Uint8Array[];
}

/** No anchors: no peer is accepted. */
export const NO_BUNDLES: TrustBundles = { byTrustDomain: new Map(), anyTrustDomain: [] };

/** Returns bundles in which these anchors, in DER, vouch for every domain. */
export function bundlesForAnyDomain(anchors: readonly Uint8Array[]): TrustBundles {
  return { byTrustDomain: new Map(), anyTrustDomain: anchors };
}

/** Returns the anchors, in DER, that vouch for ids of `trustDomain`. */
export function anchorsFor(bundles: TrustBundles, trustDomain: string): readonly Uint8Array[] {
  return bundles.byTrustDomain.get(trustDomain) ?? bundles.anyTrustDomain;
}

/** Returns a key of an anchor, made of its subject and public key, so that a re-issued root has the same key. */
export function anchorKey(anchor: Certificate): string {
  return sha256Text(anchor.subject, anchor.publicKey);
}

/** Trust bundles with parsed anchors. Immutable: changed bundles need a new store. */
export class TrustStore {
  /** Every usable anchor of every bundle once, in DER; the TLS engine verifies paths against them. */
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

  /** The domains that have their own bundle. */
  get trustDomains(): readonly string[] {
    return [...this.#byTrustDomain.keys()];
  }

  /** Returns whether the anchor with this {@link anchorKey} may vouch for ids of `trustDomain`. */
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
    usable.set(sha256Text(der), der);
  }
  return keys;
}
