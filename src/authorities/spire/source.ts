/** The interface of the sources of SVIDs: the Delegated Identity API and the Broker API. */
import type { CertificateError, CertificateErrorCode, CertificateSubject } from "../../identity/authority.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import type { BundleMap } from "./bundles.ts";
import type { RawSvid } from "./svid.ts";

/** All SVIDs of a subject; a message replaces earlier ones. */
export interface SvidMessage {
  readonly svids: readonly RawSvid[];
  /** The trust domains, besides its own, that the subject trusts. */
  readonly federatesWith: readonly string[];
  /** Null: the source has the same bundles for all subjects ({@link SourceEvents.onBundles}). */
  readonly bundles: BundleMap | null;
}

/** The stream of one subject. */
export interface SvidStream {
  /**
   * Returns the next message, an error for a malformed one, null at the end of the stream. Rejects with
   * {@link CertificateError}.
   */
  read(): Promise<SvidMessage | CertificateError | null>;
}

/** How the agent attests one subject. */
export interface Attestation {
  /** What the agent attests, for errors: `PID 4321`, `selectors k8s:ns:default, k8s:sa:app`. */
  readonly target: string;
  /** Opens the stream until `signal` is aborted. Rejects with {@link CertificateError}. */
  open(signal: AbortSignal): Promise<SvidStream>;
  /** Called before a new SVID is used: rejects with {@link CertificateError} where {@link target} is not valid any more. */
  confirm(signal: AbortSignal): Promise<void>;
  /** Called periodically: returns why {@link target} is not valid any more; null: it is. */
  problem(): CertificateError | null;
  /** The pod has another process, which can be attested with the next `turn`. */
  readonly more?: boolean;
}

/** Receives events that concern all subjects. */
export interface SourceEvents {
  /** The bundles of all subjects. */
  onBundles(bundles: BundleMap): void;
  /** The bundles cannot be received; earlier ones stay in use. */
  onProblem(error: CertificateError): void;
  /** The agent sends messages again after a failure, so waiting sessions can be retried at once. */
  onRecovered(): void;
  /** A container of this pod has started. Only sources with a container runtime that has events report it. */
  onContainerStarted(workloadUid: string): void;
}

/** The texts of errors, which differ between sources. `target`: see {@link Attestation}. */
export interface SvidWords {
  /** The list of SVIDs is empty. */
  noEntry(expected: SpiffeId, target: string): string;
  /** No SVID has the expected id; `got`: the id of the first one, escaped for the log. */
  mismatch(expected: SpiffeId, got: string, target: string): string;
  /** The stream ended without a message. */
  ended(target: string): string;
  /** No certificate was available in time. */
  timedOut(cause: string, target: string): string;
}

/** A source of SVIDs for `SpireAuthority`. */
export interface SvidSource {
  readonly keyedBy: "identity" | "workload";
  readonly words: SvidWords;
  /** Failures of a stream after which a certificate must not be used any more, although it is valid. */
  readonly withdrawsOn: ReadonlySet<CertificateErrorCode>;
  /** Starts the source. Called once, before other methods. */
  start(events: SourceEvents): void;
  /**
   * Returns how to name a subject to the agent. `turn`: index of the subject's process, from 0, where it has several.
   * Rejects with {@link CertificateError}.
   */
  attest(subject: CertificateSubject, turn: number, signal: AbortSignal): Promise<Attestation>;
  /** Ends all streams. Idempotent. */
  close(): void;
}
