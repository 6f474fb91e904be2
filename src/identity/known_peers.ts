/** How the connections of one isolate judge their peers, and what they remember of those they know. */
import type { CodedRefusal, PeerRole } from "./peer_chain.ts";
import { isRefusal } from "./peer_chain.ts";
import type { Revocation } from "./revocation.ts";
import type { TrustStore } from "./trust_bundles.ts";
import { newPeerChainCache, type PeerExpectation, type VerifiedPeer, verifyPeer } from "./verify_peer.ts";

export class KnownPeers {
  readonly #chains = newPeerChainCache();

  constructor(readonly revocation: Revocation) {}

  /** As {@link verifyPeer}, and not revoked. `role`: which side the peer plays. */
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
