/** The seam to whoever issues certificates: Istio's CA, SPIRE, a broker, or the local authority. */
import type { SpiffeId } from "./spiffe_id.ts";
import type { TrustBundles } from "./trust_bundles.ts";

/** For whom a certificate is wanted. */
export interface CertificateSubject {
  readonly id: SpiffeId;
  /** The pod, where the authority tells pods of one identity apart ({@link CertificateAuthority.keyedBy}). */
  readonly workloadUid: string | null;
}

/** A certificate with its key, ready for use. Plain data: may cross threads. */
export interface IssuedCertificate {
  readonly id: SpiffeId;
  /** DER, leaf first, then intermediates, without the trust anchor and without duplicates. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. Never logged, never dumped. */
  readonly key: Uint8Array;
  /** Validity of the leaf, ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Of the leaf, as a decimal integer. */
  readonly serial: string;
  /** Whom the holder of this certificate trusts. */
  readonly bundles: TrustBundles;
}

/**
 * Contract: `authority_contract.ts`. Implementations check what they hand out (key and id match, not expired) with
 * `check_issued.ts`.
 */
export interface CertificateAuthority {
  /** What makes two certificates different: the identity alone, or identity and pod (`identity-spire.md` 1.5). */
  readonly keyedBy: "identity" | "workload";
  /** Rejects with {@link CertificateError}, or with the signal's reason once it is aborted. */
  fetch(subject: CertificateSubject, signal: AbortSignal): Promise<IssuedCertificate>;
  /** The bundles known now. */
  bundles(): TrustBundles;
  /** Fulfilled once the authority has answered; absent where nothing is gained by waiting for it. */
  readonly connected?: Promise<void>;
  /** Since when the authority has not answered, ms since the epoch; null: it answers, or was not asked. */
  readonly awaySince?: number | null;
  /** Fetches worth starting at the same time, where the authority itself bounds what it asks of others. */
  readonly concurrency?: number;
  /** For authorities that are told of news: `listener` gets what no running fetch returns. Called once. */
  onUpdate?(listener: UpdateListener): void;
  /** Nobody needs the subject any more: its fetch is rejected, its key dropped, what was open for it is closed. */
  release?(subject: CertificateSubject): void;
  /** Running fetches are rejected, later ones too. Idempotent. */
  close(): void;
}

/** A newer certificate of a subject that was fetched before; or it was withdrawn, and must not be used any more. */
export type UpdateListener = (subject: CertificateSubject, update: IssuedCertificate | CertificateError) => void;

/** Stable names of the error catalogue, `docs/spec/identity-spire.md` 1.6. */
export type CertificateErrorCode =
  | "SIGNING"
  | "SIGNING_REQUEST"
  | "SAN_MISMATCH"
  | "EMPTY_RESPONSE"
  | "INVALID_IDENTITY"
  | "INVALID_CERTIFICATE"
  | "KEY_MISMATCH"
  | "EXPIRED"
  | "UNKNOWN_WORKLOAD"
  | "FORGOTTEN"
  | "CLOSED"
  | "UNAVAILABLE"
  /** SPIRE has no registration entry for the subject. */
  | "NO_ENTRY"
  /** The agent, or the broker, does not let us ask for the subject. */
  | "DENIED"
  /** The pod's process is not there, or is not the pod's. */
  | "NO_PROCESS"
  /** Nobody knows the trust bundle that is needed. */
  | "NO_BUNDLE"
  | "TIMEOUT"
  | "CONFIGURATION";

/** Why there is no certificate. The message is shown in logs and in the dump: no secret, no token. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
  constructor(message: string, readonly code: CertificateErrorCode, options?: ErrorOptions) {
    super(message, options);
  }
}

/**
 * The pod's process does not exist yet, or the agent does not know the pod yet: the authority keeps trying, so callers
 * that can still wait are not refused for this reason.
 */
export function mayPass({ code }: CertificateError): boolean {
  return code === "NO_PROCESS" || code === "UNKNOWN_WORKLOAD";
}
