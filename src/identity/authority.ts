/** The interface of everything that issues certificates: Istio's CA, SPIRE, a broker, and the local authority. */
import type { SpiffeId } from "./spiffe_id.ts";
import type { TrustBundles } from "./trust_bundles.ts";

/** The workload that a certificate is issued for. */
export interface CertificateSubject {
  readonly id: SpiffeId;
  /** The pod; null where all pods of an identity share a certificate ({@link CertificateAuthority.keyedBy}). */
  readonly workloadUid: string | null;
}

/** A certificate with its private key, ready for use. Plain data that may be sent to other threads. */
export interface IssuedCertificate {
  readonly id: SpiffeId;
  /** DER, leaf first, then intermediates, without the trust anchor and without duplicates. */
  readonly chain: readonly Uint8Array[];
  /** PKCS#8 DER. Never logged, never dumped. */
  readonly key: Uint8Array;
  /** The validity of the leaf, in ms since the epoch. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** The serial number of the leaf, as a decimal integer. */
  readonly serial: string;
  /** The trust anchors against which the holder of this certificate verifies its peers. */
  readonly bundles: TrustBundles;
}

/**
 * Issues certificates. Every implementation passes the tests of `testkit/authority_contract.ts` and checks what it
 * returns (key and id match, not expired) with `check_issued.ts`.
 */
export interface CertificateAuthority {
  /** Whether pods of one identity share a certificate or each has its own (`identity-spire.md` 1.5). */
  readonly keyedBy: "identity" | "workload";
  /** Issues a certificate. Rejects with {@link CertificateError}, or with the signal's reason when it is aborted. */
  fetch(subject: CertificateSubject, signal: AbortSignal): Promise<IssuedCertificate>;
  /** The trust bundles that are known at the moment. */
  bundles(): TrustBundles;
  /** Resolves after the first answer of the authority; absent where callers need not wait for it. */
  readonly connected?: Promise<void>;
  /** The time since which the authority has been unreachable, in ms since the epoch; null: it is not. */
  readonly awaySince?: number | null;
  /** How many fetches the caller may start at once; set where the authority itself limits its own requests. */
  readonly concurrency?: number;
  /** Registers the only listener for updates that no pending fetch returns. For authorities that push updates. */
  onUpdate?(listener: UpdateListener): void;
  /** The subject is no longer in use: rejects its pending fetch, drops its key and closes its streams. */
  release?(subject: CertificateSubject): void;
  /** Rejects pending and later fetches. Idempotent. */
  close(): void;
}

/** Receives a newer certificate of a subject, or the reason why its certificate must no longer be used. */
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
  /** The agent, or the broker, does not permit this proxy to fetch the subject's certificate. */
  | "DENIED"
  /** The pod's process does not exist, or belongs to another pod. */
  | "NO_PROCESS"
  /** The trust bundle of the trust domain is not available. */
  | "NO_BUNDLE"
  | "TIMEOUT"
  | "CONFIGURATION";

/** Why there is no certificate. The message appears in logs and in the dump and must not contain secrets. */
export class CertificateError extends Error {
  override readonly name = "CertificateError";
  constructor(message: string, readonly code: CertificateErrorCode, options?: ErrorOptions) {
    super(message, options);
  }
}

/**
 * True where the failure is expected to end by itself: the pod's process does not exist yet, or the agent has no record
 * of the pod yet. The authority retries, so callers that can still wait are not refused.
 */
export function isTemporary({ code }: CertificateError): boolean {
  return code === "NO_PROCESS" || code === "UNKNOWN_WORKLOAD";
}
