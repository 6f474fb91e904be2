/**
 * The certificates this isolate has, ready for handshakes. Fed by whoever manages them; asks once for each it lacks.
 *
 *     unknown ──get──▶ wanted ──certificate──▶ known ──renewed──▶ known
 *                        └──failed──▶ unknown      (waiters are told)
 */
import type { Credential, CredentialEvents, Credentials } from "../hbone/credentials.ts";
import type { IssuedCertificate } from "../identity/authority.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { type TrustBundles, TrustStore } from "../identity/trust_bundles.ts";
import type { Scheduler, Timer } from "../net/network.ts";
import type { TlsContext, TlsSettings } from "../net/tls_context.ts";

/** ms that a connection waits for a certificate. */
const CERTIFICATE_WAIT = 10_000;

/** ms until a replaced certificate's context is freed: longer than any dial and handshake. */
const RETIREMENT = 60_000;

interface Known extends Credential {
  readonly issued: IssuedCertificate;
}

interface Waiter {
  readonly events: CredentialEvents;
  readonly timer: Timer;
}

export interface CredentialSource {
  /** Ask the certificate manager; an answer comes by {@link CredentialStore.set} or {@link CredentialStore.failed}. */
  request(id: SpiffeId): void;
  /** Throws for a certificate or key that the engine refuses. */
  makeContext(settings: TlsSettings): TlsContext;
}

export class CredentialStore implements Credentials {
  readonly #scheduler: Scheduler;
  readonly #source: CredentialSource;
  readonly #known = new Map<SpiffeId, Known>();
  readonly #waiting = new Map<SpiffeId, Set<Waiter>>();
  /** Replaced, and still in use by dials under way. */
  readonly #retired = new Map<TlsContext, Timer>();
  readonly #wallClock: () => number;

  constructor(scheduler: Scheduler, source: CredentialSource, wallClock: () => number) {
    this.#scheduler = scheduler;
    this.#source = source;
    this.#wallClock = wallClock;
  }

  get(id: SpiffeId, events: CredentialEvents): () => void {
    const known = this.#known.get(id);
    if (known !== undefined && known.issued.notAfter > this.#wallClock()) {
      events.onCredential(known);
      return () => {};
    }
    return this.#wait(id, events);
  }

  #wait(id: SpiffeId, events: CredentialEvents): () => void {
    let waiting = this.#waiting.get(id);
    const isFirst = waiting === undefined;
    if (waiting === undefined) this.#waiting.set(id, waiting = new Set());
    const timer = this.#scheduler.after(CERTIFICATE_WAIT, () => {
      waiting.delete(waiter);
      // The answer may be lost: whoever comes next asks again.
      if (waiting.size === 0 && this.#waiting.get(id) === waiting) this.#waiting.delete(id);
      events.onCredentialFailure(`no certificate for ${id} within ${CERTIFICATE_WAIT / 1000} s`);
    });
    const waiter: Waiter = { events, timer };
    waiting.add(waiter);
    if (isFirst) this.#source.request(id);
    return () => {
      timer.cancel();
      waiting.delete(waiter);
    };
  }

  /** A certificate was issued or renewed. Open connections go on with the one they have. */
  set(issued: IssuedCertificate): void {
    const before = this.#known.get(issued.id);
    let credential: Known;
    try {
      credential = before !== undefined && isSame(before.issued, issued) ? before : this.#make(issued);
    } catch (error) {
      return this.failed(issued.id, error instanceof Error ? error.message : String(error));
    }
    this.#known.set(issued.id, credential);
    if (before !== undefined && before !== credential) this.#retire(before.context);
    for (const { events } of this.#takeWaiting(issued.id)) events.onCredential(credential);
  }

  failed(id: SpiffeId, message: string): void {
    for (const { events } of this.#takeWaiting(id)) events.onCredentialFailure(message);
  }

  /** Nobody waits and no handshake is under way any more. */
  close(): void {
    for (const id of [...this.#waiting.keys()]) this.#takeWaiting(id);
    for (const timer of this.#retired.values()) timer.cancel();
    for (const context of this.#retired.keys()) context.close();
    for (const { context } of this.#known.values()) context.close();
    this.#retired.clear();
    this.#known.clear();
  }

  /** Dials under way hold it and need it for their handshake. */
  #retire(context: TlsContext): void {
    const timer = this.#scheduler.after(RETIREMENT, () => {
      this.#retired.delete(context);
      context.close();
    });
    this.#retired.set(context, timer);
  }

  #make(issued: IssuedCertificate): Known {
    const trust = new TrustStore(issued.bundles);
    const context = this.#source.makeContext({
      chain: issued.chain,
      key: issued.key,
      anchors: trust.anchors,
      // Every handshake brings its own expectation; one without would trust anybody.
      accept: () => ({ code: "NO_EXPECTATION", message: "no expectation was set for this handshake" }),
    });
    return { id: issued.id, context, trust, issued };
  }

  /** Walk it while it lives: who stops waiting meanwhile is not told. */
  #takeWaiting(id: SpiffeId): ReadonlySet<Waiter> {
    const waiting = this.#waiting.get(id) ?? new Set();
    this.#waiting.delete(id);
    for (const { timer } of waiting) timer.cancel();
    return waiting;
  }
}

/** The same certificate with the same bundles: sent to every worker each time one of them asks. */
function isSame(a: IssuedCertificate, b: IssuedCertificate): boolean {
  return a.serial === b.serial && fingerprint(a.bundles) === fingerprint(b.bundles);
}

function fingerprint({ byTrustDomain, anyTrustDomain }: TrustBundles): string {
  const all: (readonly [string, readonly Uint8Array[]])[] = [...byTrustDomain, ["", anyTrustDomain]];
  return all.map(([domain, anchors]) => `${domain} ${anchors.map((der) => der.toHex()).join()}`).sort().join("\n");
}
