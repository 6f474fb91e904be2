/** Where connections get their certificates from. */
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { TrustStore } from "../identity/trust_bundles.ts";
import type { TlsContext } from "../net/tls_context.ts";

/** A certificate in use: the engine's context made from it, and what it is to be judged by. */
export interface Credential {
  readonly id: SpiffeId;
  readonly context: TlsContext;
  readonly trust: TrustStore;
  /** ms since the epoch: when its certificate expires. */
  readonly notAfter: number;
  /**
   * Tells that peers are to be judged anew: by other trust bundles, or, by null, not at all any more, since the
   * certificate was withdrawn. Call the result to hear no more.
   */
  watch(onChange: TrustListener): () => void;
}

export interface CredentialEvents {
  onCredential(credential: Credential): void;
  /** `message` for the log, without prefix. */
  onCredentialFailure(message: string): void;
}

export interface Credentials {
  /**
   * The current certificate of `id`: calls back at once when it is there, else when it was issued or refused.
   * Call the result to stop waiting.
   */
  get(id: SpiffeId, events: CredentialEvents): () => void;
}

/** `trust`: the holder's new trust; null: its certificate was withdrawn. `cut`: connections that use it must end. */
export type TrustListener = (trust: TrustStore | null, cut: boolean) => void;
