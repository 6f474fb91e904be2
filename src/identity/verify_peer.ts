/**
 * Decides during a handshake whether the peer is who it has to be. Synchronous; a known chain costs one SHA-256.
 *
 * The path given has been verified by the TLS engine: signatures, validity, purpose. What is added here: the rules
 * for SPIFFE certificates (`peer_chain.ts`), the expectation, the time, and that the anchor speaks for the trust
 * domain of the id (`docs/spec/identity-spire.md` 6.2-6.5, S11).
 */
import { ChainCache, chainKey } from "./chain_cache.ts";
import { type CodedRefusal, inspectChain, isRefusal, type PeerChain, type PeerRole, refuse } from "./peer_chain.ts";
import type { SpiffeId, TrustDomain, WorkloadIdentity } from "./spiffe_id.ts";
import type { TrustStore } from "./trust_bundles.ts";

/** Whom we want to talk to. */
export type PeerExpectation =
  /** Outbound: one of these and no other. An empty list matches nobody. */
  | { readonly kind: "any-of"; readonly ids: readonly SpiffeId[] }
  /** Inbound: a workload of this trust domain or of one of its aliases (also: federated domains). */
  | { readonly kind: "trust-domain"; readonly trustDomain: string; readonly aliases?: readonly string[] };

/** Who the peer has proven to be. */
export interface VerifiedPeer {
  readonly id: SpiffeId;
  readonly trustDomain: TrustDomain;
  /** Null where the id has another shape than `/ns/{ns}/sa/{sa}`; possible with an "any-of" expectation only. */
  readonly workload: WorkloadIdentity | null;
  /** ms since the epoch: when the first certificate of the path expires. */
  readonly notAfter: number;
}

export type PeerChainCache = ChainCache<PeerChain>;

/** About 1.6 MB when full. */
export function newPeerChainCache(limit = 4096): PeerChainCache {
  return new ChainCache<PeerChain>(limit);
}

/**
 * `chain`: DER, leaf first, trust anchor last. `role`: which side the peer plays. `now`: ms since the epoch.
 * Chains that were in order are remembered in `cache`. Never throws for any chain.
 */
export function verifyPeer(
  chain: readonly Uint8Array[],
  role: PeerRole,
  trust: TrustStore,
  expected: PeerExpectation,
  now: number,
  cache: PeerChainCache | null = null,
): VerifiedPeer | CodedRefusal {
  const peer = cache === null ? inspectChain(chain, role) : cachedChain(chain, role, cache);
  if (isRefusal(peer)) return peer;
  return checkTime(peer, now) ?? checkExpectation(peer, expected) ?? checkAnchor(peer, trust) ??
    { id: peer.id, trustDomain: peer.trustDomain, workload: peer.workload, notAfter: peer.notAfter };
}

function cachedChain(
  chain: readonly Uint8Array[],
  role: PeerRole,
  cache: PeerChainCache,
): PeerChain | CodedRefusal {
  const key = chainKey(chain, role);
  const known = cache.get(key);
  if (known !== undefined) return known;
  const peer = inspectChain(chain, role);
  if (!isRefusal(peer)) cache.set(key, peer);
  return peer;
}

function checkTime(peer: PeerChain, now: number): CodedRefusal | null {
  if (now > peer.notAfter) {
    return refuse("EXPIRED", `certificate path of ${peer.id} expired at ${rfc3339(peer.notAfter)}${clockSays(now)}`);
  }
  if (now < peer.notBefore) {
    const from = rfc3339(peer.notBefore);
    return refuse("NOT_YET_VALID", `certificate path of ${peer.id} is not valid before ${from}${clockSays(now)}`);
  }
  return null;
}

/** Either clock may be the wrong one. */
function clockSays(now: number): string {
  return `; the clock of this node says ${rfc3339(now)}`;
}

function rfc3339(ms: number): string {
  return new Date(ms).toISOString();
}

function checkExpectation(
  peer: PeerChain,
  expected: PeerExpectation,
): CodedRefusal | null {
  switch (expected.kind) {
    case "any-of":
      return expected.ids.includes(peer.id) ? null : refuse(
        "SAN_MISMATCH",
        `identity verification error: peer did not present the expected SAN (${
          expected.ids.join(",")
        }), got ${peer.id}`,
      );
    case "trust-domain":
      if (peer.workload !== null && speaksFor(expected, peer.trustDomain)) return null;
      return refuse(
        "TRUST_DOMAIN_MISMATCH",
        "identity verification error: peer did not present the expected trustdomain " +
          `(${expected.trustDomain}), got ${peer.id}`,
      );
    default:
      return expected satisfies never;
  }
}

function speaksFor(expected: PeerExpectation & { kind: "trust-domain" }, trustDomain: TrustDomain): boolean {
  return trustDomain === expected.trustDomain || (expected.aliases?.includes(trustDomain) ?? false);
}

/** S11: a federated domain's authority must not vouch for ours, nor ours for a domain with its own bundle. */
function checkAnchor(peer: PeerChain, trust: TrustStore): CodedRefusal | null {
  if (trust.vouches(peer.anchor, peer.trustDomain)) return null;
  return refuse("UNTRUSTED_ANCHOR", `the authority of ${peer.id} is not in the bundle of ${peer.trustDomain}`);
}
