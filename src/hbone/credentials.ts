/** The certificates that connections are made with. */
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { TrustStore } from "../identity/trust_bundles.ts";
import type { TlsContext } from "../net/tls_context.ts";

/** A certificate of ours, as a TLS context, and the trust bundles that peers are verified with. */
export interface Credential {
  readonly id: SpiffeId;
  readonly context: TlsContext;
  readonly trust: TrustStore;
  /** When the certificate expires, in ms since the epoch. */
  readonly notAfter: number;
  /**
   * Calls `onChange` when peers must be verified again, with other trust bundles, and when the certificate was
   * withdrawn. Call the result to stop that.
   */
  watch(onChange: TrustListener): () => void;
}

/** The result of {@link Credentials.get}: one of the two is called, once. */
export interface CredentialEvents {
  onCredential(credential: Credential): void;
  /** `message`: for the log, without a prefix. */
  onCredentialFailure(message: string): void;
}

/** A source of certificates. */
export interface Credentials {
  /**
   * Gets the current certificate of `id`. Calls `events` before it returns where the certificate exists already, else
   * when it was issued or refused. Call the result to stop waiting.
   */
  get(id: SpiffeId, events: CredentialEvents): () => void;
}

/**
 * `trust`: the new trust bundles; null: the certificate was withdrawn. `cut`: connections that use the certificate must
 * end at once.
 */
export type TrustListener = (trust: TrustStore | null, cut: boolean) => void;
