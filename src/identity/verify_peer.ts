/**
 * Decides during a handshake whether to accept the peer. Synchronous; a cached chain costs at most one SHA-256.
 *
 * The TLS engine has verified the path: signatures, validity, purpose. The checks here add the rules for SPIFFE
 * certificates (`peer_chain.ts`), the expected peer, the time, and that the anchor may vouch for the trust domain of the
 * id (`docs/spec/identity-spire.md` 6.2-6.5, S11).
 */
import { ChainCache, chainKey } from "./chain_cache.ts";
import { type CodedRefusal, inspectChain, isRefusal, type PeerChain, type PeerRole, refuse } from "./peer_chain.ts";
import type { SpiffeId, TrustDomain, WorkloadIdentity } from "./spiffe_id.ts";
import type { TrustStore } from "./trust_bundles.ts";

/** Which peers are accepted. */
export type PeerExpectation =
  /** Outbound: one of these ids. An empty list matches no peer. */
  | { readonly kind: "any-of"; readonly ids: readonly SpiffeId[] }
  /** Inbound: a workload of this trust domain, of one of its aliases or of a federated domain. */
  | { readonly kind: "trust-domain"; readonly trustDomain: string; readonly aliases?: readonly string[] };

/** The proven identity of a peer. */
export interface VerifiedPeer {
  readonly id: SpiffeId;
  readonly trustDomain: TrustDomain;
  /** Null where the path is not `/ns/{ns}/sa/{sa}`; possible with an "any-of" expectation only. */
  readonly workload: WorkloadIdentity | null;
  /** When the first certificate of the path expires, in ms since the epoch. */
  readonly notAfter: number;
}

type PeerChainCache = ChainCache<PeerChain>;

/** Makes a cache for {@link verifyPeer}. `limit`: in chains; 4096 take about 1.6 MB. */
export function newPeerChainCache(limit = 4096): PeerChainCache {
  return new ChainCache<PeerChain>(limit);
}

/**
 * Verifies a peer. `chain`: DER, leaf first, trust anchor last. `role`: of the peer. `now`: ms since the epoch. `cache`:
 * receives the chains that passed `inspectChain`. Never throws.
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

/** For the log: the clock of this node may be wrong. */
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
      if (peer.workload !== null && includesDomain(expected, peer.trustDomain)) return null;
      return refuse(
        "TRUST_DOMAIN_MISMATCH",
        "identity verification error: peer did not present the expected trustdomain " +
          `(${expected.trustDomain}), got ${peer.id}`,
      );
    default:
      return expected satisfies never;
  }
}

function includesDomain(expected: PeerExpectation & { kind: "trust-domain" }, trustDomain: TrustDomain): boolean {
  return trustDomain === expected.trustDomain || (expected.aliases?.includes(trustDomain) ?? false);
}

/** An authority must not vouch for a domain that has another bundle (`docs/spec/identity-spire.md` S11). */
function checkAnchor(peer: PeerChain, trust: TrustStore): CodedRefusal | null {
  if (trust.vouches(peer.anchor, peer.trustDomain)) return null;
  return refuse("UNTRUSTED_ANCHOR", `the authority of ${peer.id} is not in the bundle of ${peer.trustDomain}`);
}
