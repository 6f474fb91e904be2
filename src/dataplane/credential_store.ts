/**
 * The certificates this isolate has, ready for handshakes. Fed by whoever manages them; asks once for each it lacks.
 *
 *     unknown ──get──▶ wanted ──certificate──▶ known ──renewed──▶ known ──withdrawn──▶ unknown
 *                        └──failed──▶ unknown      (waiters are told)
 */
import type { Credential, CredentialEvents, Credentials } from "../hbone/credentials.ts";
import type { CertificateSubject, IssuedCertificate } from "../identity/authority.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { subjectKey } from "../identity/subject_key.ts";
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
  request(subject: CertificateSubject): void;
  /** Throws for a certificate or key that the engine refuses. */
  makeContext(settings: TlsSettings): TlsContext;
}

export class CredentialStore {
  readonly #scheduler: Scheduler;
  readonly #source: CredentialSource;
  /** By {@link subjectKey}, as the next one. */
  readonly #known = new Map<string, Known>();
  readonly #waiting = new Map<string, Set<Waiter>>();
  /** Replaced, and still in use by dials under way. */
  readonly #retired = new Map<TlsContext, Timer>();
  readonly #wallClock: () => number;

  constructor(scheduler: Scheduler, source: CredentialSource, wallClock: () => number) {
    this.#scheduler = scheduler;
    this.#source = source;
    this.#wallClock = wallClock;
  }

  /** What connections of one pod see; null: certificates are shared by all pods of an identity. */
  of(workloadUid: string | null): Credentials {
    return { get: (id, events) => this.#get({ id, workloadUid }, events) };
  }

  #get(subject: CertificateSubject, events: CredentialEvents): () => void {
    const known = this.#known.get(keyOf(subject));
    if (known !== undefined && known.issued.notAfter > this.#wallClock()) {
      events.onCredential(known);
      return () => {};
    }
    return this.#wait(subject, events);
  }

  #wait(subject: CertificateSubject, events: CredentialEvents): () => void {
    const key = keyOf(subject);
    let waiting = this.#waiting.get(key);
    const isFirst = waiting === undefined;
    if (waiting === undefined) this.#waiting.set(key, waiting = new Set());
    const timer = this.#scheduler.after(CERTIFICATE_WAIT, () => {
      waiting.delete(waiter);
      // The answer may be lost: whoever comes next asks again.
      if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
      events.onCredentialFailure(`no certificate for ${subject.id} within ${CERTIFICATE_WAIT / 1000} s`);
    });
    const waiter: Waiter = { events, timer };
    waiting.add(waiter);
    if (isFirst) this.#source.request(subject);
    return () => {
      timer.cancel();
      waiting.delete(waiter);
    };
  }

  /** A certificate was issued or renewed. Open connections go on with the one they have. */
  set(issued: IssuedCertificate, workloadUid: string | null = null): void {
    const key = keyOf({ id: issued.id, workloadUid });
    const before = this.#known.get(key);
    let credential: Known;
    try {
      credential = before !== undefined && isSame(before.issued, issued) ? before : this.#make(issued);
    } catch (error) {
      return this.failed(issued.id, error instanceof Error ? error.message : String(error), workloadUid);
    }
    this.#known.set(key, credential);
    if (before !== undefined && before !== credential) this.#retire(before.context);
    for (const { events } of this.#takeWaiting(key)) events.onCredential(credential);
  }

  failed(id: SpiffeId, message: string, workloadUid: string | null = null): void {
    for (const { events } of this.#takeWaiting(keyOf({ id, workloadUid }))) events.onCredentialFailure(message);
  }

  /** It must not be used for new connections, or nobody needs it any more. Open ones go on. */
  withdraw(id: SpiffeId, workloadUid: string | null = null): void {
    const key = keyOf({ id, workloadUid });
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#retire(known.context);
  }

  /** Nobody waits and no handshake is under way any more. */
  close(): void {
    for (const key of [...this.#waiting.keys()]) this.#takeWaiting(key);
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
  #takeWaiting(key: string): ReadonlySet<Waiter> {
    const waiting = this.#waiting.get(key) ?? new Set();
    this.#waiting.delete(key);
    for (const { timer } of waiting) timer.cancel();
    return waiting;
  }
}

function keyOf(subject: CertificateSubject): string {
  return subjectKey(subject, "workload");
}

/** The same certificate with the same bundles: sent to every worker each time one of them asks. */
function isSame(a: IssuedCertificate, b: IssuedCertificate): boolean {
  return a.serial === b.serial && fingerprint(a.bundles) === fingerprint(b.bundles);
}

function fingerprint({ byTrustDomain, anyTrustDomain }: TrustBundles): string {
  const all: (readonly [string, readonly Uint8Array[]])[] = [...byTrustDomain, ["", anyTrustDomain]];
  return all.map(([domain, anchors]) => `${domain} ${anchors.map((der) => der.toHex()).join()}`).sort().join("\n");
}
