/** Where SVIDs come from: what the three ways of asking a SPIRE agent have in common. */
import type { CertificateError, CertificateErrorCode, CertificateSubject } from "../../identity/authority.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import type { BundleMap } from "./bundles.ts";
import type { RawSvid } from "./svid.ts";

/** All that a subject has at the moment; it replaces what was said before. */
export interface SvidMessage {
  readonly svids: readonly RawSvid[];
  /** Trust domains besides its own whose members it trusts. */
  readonly federatesWith: readonly string[];
  /** Null: the source tells bundles of all subjects together ({@link SourceEvents}). */
  readonly bundles: BundleMap | null;
}

export interface SvidStream {
  /** Null: the agent ended the stream. An error is a message that cannot be read. Rejects with {@link CertificateError}. */
  read(): Promise<SvidMessage | CertificateError | null>;
}

/** One subject as the agent will be asked about it. */
export interface Attestation {
  /** For errors: `PID 4321`, `selectors k8s:ns:default, k8s:sa:app`. */
  readonly asked: string;
  /** Starts the stream, which ends with `signal`. Rejects with {@link CertificateError}. */
  open(signal: AbortSignal): Promise<SvidStream>;
  /** Before each new SVID is used: is `asked` still the subject? Rejects with {@link CertificateError}. */
  confirm(signal: AbortSignal): Promise<void>;
  /** The same, cheaply and from time to time: why not, or null. */
  problem(): CertificateError | null;
  /** The pod has another process, which may be attested: attest again with the next turn. */
  readonly more?: boolean;
}

export interface SourceEvents {
  /** Bundles that hold for every subject. */
  onBundles(bundles: BundleMap): void;
  /** There are none, and why; what was told before stays good. */
  onProblem(error: CertificateError): void;
  /** The agent answers again after it did not: who waits to try again need not wait. */
  onBack(): void;
  /** Called when a container of this pod has started. Only from sources that have events; others are polled. */
  onContainerStarted(workloadUid: string): void;
}

/** How a mode says what happened; operators know these texts. `asked`: see {@link Attestation}. */
export interface SvidWords {
  /** The list of SVIDs is empty. */
  noEntry(wanted: SpiffeId, asked: string): string;
  /** There are SVIDs, none of them with the wanted id; `got`: the first one's, fit for the log. */
  mismatch(wanted: SpiffeId, got: string, asked: string): string;
  /** The stream ended and no message had come. */
  ended(asked: string): string;
  timedOut(cause: string, asked: string): string;
}

/** What `SpireAuthority` needs of a mode. */
export interface SvidSource {
  readonly keyedBy: "identity" | "workload";
  readonly words: SvidWords;
  /** Failures of a stream after which the certificate must not be used any more, however long it would be valid. */
  readonly withdrawsOn: ReadonlySet<CertificateErrorCode>;
  /** Called once, first. */
  start(events: SourceEvents): void;
  /**
   * Finds out how to request the SVID of a subject. `turn`: index of the subject's process, from 0, where it has
   * several. Rejects with {@link CertificateError}.
   */
  attest(subject: CertificateSubject, turn: number, signal: AbortSignal): Promise<Attestation>;
  /** Idempotent. */
  close(): void;
}
