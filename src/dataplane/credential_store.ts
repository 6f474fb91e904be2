/**
 * The certificates this isolate has, ready for handshakes. Fed by whoever manages them; asks once for each it lacks.
 *
 *     unknown ──get──▶ wanted ──certificate──▶ known ──renewed──▶ known
 *                        └──failed──▶ unknown      (waiters are told)
 */
import type { Credential, CredentialEvents, Credentials } from "../hbone/credentials.ts";
import type { IssuedCertificate } from "../identity/authority.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { TrustStore } from "../identity/trust_bundles.ts";
import type { Scheduler } from "../net/network.ts";
import type { TlsContext, TlsSettings } from "../net/tls_context.ts";

/** ms that a connection waits for a certificate. */
const CERTIFICATE_WAIT = 10_000;

/** ms until a replaced certificate's context is freed: longer than any dial and handshake. */
const RETIREMENT = 60_000;

interface Known extends Credential {
  /** ms since the epoch */
  readonly notAfter: number;
  readonly serial: string;
}

export interface CredentialSource {
  /** Ask the certificate manager; an answer comes by {@link CredentialStore.set} or {@link CredentialStore.failed}. */
  request(id: SpiffeId): void;
  /** Throws for a certificate or key that the engine refuses. */
  makeContext(settings: TlsSettings): TlsContext;
  /** Of `COMPLIANCE_POLICY`; null: the library's default groups. */
  readonly groups: string | null;
}

export class CredentialStore implements Credentials {
  readonly #scheduler: Scheduler;
  readonly #source: CredentialSource;
  readonly #known = new Map<SpiffeId, Known>();
  readonly #waiting = new Map<SpiffeId, Set<CredentialEvents>>();
  readonly #wallClock: () => number;

  constructor(scheduler: Scheduler, source: CredentialSource, wallClock: () => number) {
    this.#scheduler = scheduler;
    this.#source = source;
    this.#wallClock = wallClock;
  }

  get(id: SpiffeId, events: CredentialEvents): () => void {
    const known = this.#known.get(id);
    if (known !== undefined && known.notAfter > this.#wallClock()) {
      events.onCredential(known);
      return () => {};
    }
    let waiting = this.#waiting.get(id);
    if (waiting === undefined) {
      this.#waiting.set(id, waiting = new Set());
      this.#source.request(id);
    }
    const stop = () => {
      timer.cancel();
      this.#waiting.get(id)?.delete(wrapped);
    };
    const wrapped: CredentialEvents = {
      onCredential: (credential) => {
        stop();
        events.onCredential(credential);
      },
      onCredentialFailure: (message) => {
        stop();
        events.onCredentialFailure(message);
      },
    };
    const timer = this.#scheduler.after(CERTIFICATE_WAIT, () => {
      wrapped.onCredentialFailure(`no certificate for ${id} within ${CERTIFICATE_WAIT / 1000} s`);
    });
    waiting.add(wrapped);
    return stop;
  }

  /** A certificate was issued or renewed. Open connections go on with the one they have. */
  set(issued: IssuedCertificate): void {
    const before = this.#known.get(issued.id);
    let credential: Known;
    try {
      credential = before?.serial === issued.serial ? before : this.#make(issued);
    } catch (error) {
      return this.failed(issued.id, error instanceof Error ? error.message : String(error));
    }
    this.#known.set(issued.id, credential);
    // Dials under way hold the old one and need it for their handshake.
    if (before !== undefined && before !== credential) this.#scheduler.after(RETIREMENT, () => before.context.close());
    for (const events of this.#takeWaiting(issued.id)) events.onCredential(credential);
  }

  failed(id: SpiffeId, message: string): void {
    for (const events of this.#takeWaiting(id)) events.onCredentialFailure(message);
  }

  close(): void {
    for (const { context } of this.#known.values()) context.close();
    this.#known.clear();
  }

  #make(issued: IssuedCertificate): Known {
    const trust = new TrustStore(issued.bundles);
    const context = this.#source.makeContext({
      chain: issued.chain,
      key: issued.key,
      anchors: trust.anchors,
      ...(this.#source.groups === null ? {} : { groups: this.#source.groups }),
      // Every handshake brings its own expectation; one without would trust anybody.
      accept: () => ({ code: "NO_EXPECTATION", message: "no expectation was set for this handshake" }),
    });
    return { id: issued.id, context, trust, notAfter: issued.notAfter, serial: issued.serial };
  }

  #takeWaiting(id: SpiffeId): CredentialEvents[] {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting === undefined ? [] : [...waiting];
  }
}
