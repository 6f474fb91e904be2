/** Verifies the peers of all connections of one isolate, with a shared cache. */
import type { CodedRefusal, PeerRole } from "./peer_chain.ts";
import { isRefusal } from "./peer_chain.ts";
import type { Revocation } from "./revocation.ts";
import type { TrustStore } from "./trust_bundles.ts";
import { newPeerChainCache, type PeerExpectation, type VerifiedPeer, verifyPeer } from "./verify_peer.ts";

/** Verifies peers against trust, expectation and revocation lists. */
export class KnownPeers {
  readonly #chains = newPeerChainCache();

  constructor(readonly revocation: Revocation) {}

  /** As {@link verifyPeer}, and also refuses a revoked certificate. */
  verify(
    chain: readonly Uint8Array[],
    role: PeerRole,
    trust: TrustStore,
    expected: PeerExpectation,
    now: number,
  ): VerifiedPeer | CodedRefusal {
    const verdict = verifyPeer(chain, role, trust, expected, now, this.#chains);
    if (isRefusal(verdict)) return verdict;
    return this.revocation.check(chain, role) ?? verdict;
  }
}
