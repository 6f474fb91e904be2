/**
 * Ends an open connection, or stops new requests on it, when certificates or trust change: a revocation, an expiry,
 * other trust bundles, a withdrawn certificate of ours. Used by both ends of a connection.
 */
import type { PeerRole } from "../identity/peer_chain.ts";
import type { Revocation } from "../identity/revocation.ts";
import type { TrustStore } from "../identity/trust_bundles.ts";
import type { Scheduler } from "../net/network.ts";
import type { Credential } from "./credentials.ts";
import { afterExpiry } from "./expiry.ts";
import { REVOKED, WITHDRAWN } from "./failure.ts";

/** The certificates that a connection was made with. */
interface ConnectionCertificates {
  /** Ours. */
  readonly credential: Credential;
  /** The certificate path of the peer, as verified. */
  readonly chain: readonly Uint8Array[];
  readonly role: PeerRole;
  /** ms since the epoch: when the first certificate that matters expires. */
  readonly notAfter: number;
}

/** Implemented by the connection. */
export interface CertificateListener {
  /** Whether a peer with this path would be accepted with these trust bundles. */
  trusts(chain: readonly Uint8Array[], trust: TrustStore): boolean;
  /** Stops new requests. Streams go on. */
  drain(): void;
  /** Ends the connection at once, with all streams. */
  abandon(reason: string): void;
}

/** Calls `listener` until the result is called. `wallClock`: ms since the epoch. */
export function watchCertificates(
  { credential, chain, role, notAfter }: ConnectionCertificates,
  revocation: Revocation,
  scheduler: Scheduler,
  wallClock: () => number,
  listener: CertificateListener,
): () => void {
  const stopRevocation = revocation.watch(chain, role, () => listener.abandon(REVOKED));
  const stopExpiry = afterExpiry(scheduler, wallClock, notAfter, () => listener.drain());
  const stopTrust = credential.watch((trust, cut) => {
    if (cut) listener.abandon(WITHDRAWN);
    else if (trust === null || !listener.trusts(chain, trust)) listener.drain();
  });
  return () => {
    stopRevocation();
    stopExpiry();
    stopTrust();
  };
}
