/**
 * The certificates of this isolate, ready for handshakes. The certificate manager in main sends them; each one that is
 * missing is requested once.
 *
 * To make an engine's context takes up to a millisecond and 30 KB, and an authority with a new root sends a thousand
 * certificates at once: so a context is made for the first handshake that needs it.
 *
 *     unknown ──get──▶ requested ──certificate──▶ known ──renewed──▶ known ──withdrawn──▶ unknown
 *                          └──failed──▶ unknown       (callers are notified)
 */
import type { Credential, CredentialEvents, Credentials, TrustListener } from "../hbone/credentials.ts";
import type { CertificateSubject, IssuedCertificate } from "../identity/authority.ts";
import { equalBytes, isMalformed, parseCertificate } from "../identity/certificate.ts";
import { spiffeIdOfLeaf } from "../identity/peer_chain.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { subjectKey } from "../identity/subject_key.ts";
import { type TrustBundles, TrustStore } from "../identity/trust_bundles.ts";
import type { Timer } from "../net/clock.ts";
import type { Scheduler } from "../net/network.ts";
import type { TlsContext, TlsSettings } from "../net/tls_context.ts";

/** ms that a connection waits for a certificate. */
const CERTIFICATE_WAIT = 10_000;

/** ms until a replaced certificate's context is freed: longer than any dial and handshake. */
const RETIREMENT = 60_000;

interface Known {
  readonly issued: IssuedCertificate;
  /** Null before the first handshake. A text: why the engine refuses it. */
  credential: Credential | string | null;
  /** The one before, until the engine has accepted this one. */
  before: Known | null;
}

interface Caller {
  readonly events: CredentialEvents;
  readonly timer: Timer;
}

/** The callers that wait for one certificate. */
interface Callers extends Set<Caller> {
  /** The reason for the delay, as far as it is known. */
  reason?: string;
}

/** What the store needs of others. */
interface CredentialSource {
  /** Requests a certificate of the certificate manager; the answer is {@link CredentialStore.set} or {@link CredentialStore.failed}. */
  request(subject: CertificateSubject): void;
  /** Throws for a certificate or key that the engine refuses. */
  makeContext(settings: TlsSettings): TlsContext;
}

/** The certificates of one isolate, of all its pods. */
export class CredentialStore {
  readonly #scheduler: Scheduler;
  readonly #source: CredentialSource;
  /** By {@link subjectKey}, like the next one. */
  readonly #known = new Map<string, Known>();
  readonly #pending = new Map<string, Callers>();
  /** The listeners of connections that use a certificate, by the same key. They remove themselves. */
  readonly #listeners = new Map<string, Set<TrustListener>>();
  /** Contexts that were replaced and may be in use by pending dials. */
  readonly #retired = new Map<TlsContext, Timer>();
  readonly #wallClock: () => number;

  constructor(scheduler: Scheduler, source: CredentialSource, wallClock: () => number) {
    this.#scheduler = scheduler;
    this.#source = source;
    this.#wallClock = wallClock;
  }

  /** The certificates for connections of one pod. Null: all pods of an identity share certificates. */
  of(workloadUid: string | null): Credentials {
    return { get: (id, events) => this.#get({ id, workloadUid }, events) };
  }

  #get(subject: CertificateSubject, events: CredentialEvents): () => void {
    const known = this.#known.get(keyOf(subject));
    if (known === undefined || this.#isExpired(known)) return this.#wait(subject, events);
    notify(events, this.#ready(known, keyOf(subject)));
    return () => {};
  }

  #isExpired({ issued }: Known): boolean {
    return issued.notAfter <= this.#wallClock();
  }

  /**
   * The credential, or why there is none. Where the engine refuses the certificate, the one before is used while it is
   * valid.
   */
  #ready(known: Known, key: string): Credential | string {
    known.credential ??= this.#make(known.issued, key);
    const { credential, before } = known;
    if (typeof credential === "string") {
      return before === null || this.#isExpired(before) ? credential : this.#ready(before, key);
    }
    known.before = null;
    if (before !== null) this.#retire(before);
    return credential;
  }

  #wait(subject: CertificateSubject, events: CredentialEvents): () => void {
    const key = keyOf(subject);
    let callers = this.#pending.get(key);
    const isFirst = callers === undefined;
    if (callers === undefined) this.#pending.set(key, callers = new Set());
    const timer = this.#scheduler.after(CERTIFICATE_WAIT, () => {
      callers.delete(caller);
      // The answer may be lost: the next caller requests the certificate again.
      if (callers.size === 0 && this.#pending.get(key) === callers) this.#pending.delete(key);
      const why = callers.reason === undefined ? "" : `: ${callers.reason}`;
      events.onCredentialFailure(`no certificate for ${subject.id} within ${CERTIFICATE_WAIT / 1000} s${why}`);
    });
    const caller: Caller = { events, timer };
    callers.add(caller);
    if (isFirst) this.#source.request(subject);
    return () => {
      timer.cancel();
      callers.delete(caller);
    };
  }

  /** A certificate was issued or renewed. Open connections keep the one they were made with. */
  set(issued: IssuedCertificate, workloadUid: string | null = null): void {
    const key = keyOf({ id: issued.id, workloadUid });
    const held = this.#known.get(key);
    const known = held !== undefined && isSame(held.issued, issued) ? held : this.#successor(issued, held ?? null);
    this.#known.set(key, known);
    if (held !== undefined && !isSameTrust(held.issued.bundles, issued.bundles)) this.#notifyListeners(key, issued);
    const callers = this.#takePending(key);
    if (callers.size === 0) return;
    const ready = this.#ready(known, key);
    for (const { events } of callers) notify(events, ready);
  }

  /** The entry for `issued`. Of `held` and its own predecessor it keeps the latest that the engine has accepted. */
  #successor(issued: IssuedCertificate, held: Known | null): Known {
    const usable = held !== null && typeof held.credential === "object" && held.credential !== null;
    return { issued, credential: null, before: usable ? held : held?.before ?? null };
  }

  /** No certificate was issued: callers that wait fail with `message`. */
  failed(id: SpiffeId, message: string, workloadUid: string | null = null): void {
    for (const { events } of this.#takePending(keyOf({ id, workloadUid }))) events.onCredentialFailure(message);
  }

  /** The certificate may arrive in a moment, without a further request: each caller waits until its own limit. */
  delayed(id: SpiffeId, reason: string, workloadUid: string | null = null): void {
    const callers = this.#pending.get(keyOf({ id, workloadUid }));
    if (callers !== undefined) callers.reason = reason;
  }

  /** New connections must not use it, or no workload needs it any more. Open ones continue, unless `cut` is set. */
  withdraw(id: SpiffeId, workloadUid: string | null = null, cut = false): void {
    const key = keyOf({ id, workloadUid });
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#retire(known);
    this.#notifyListeners(key, null, cut);
  }

  #watch(key: string, onChange: TrustListener): () => void {
    let listeners = this.#listeners.get(key);
    if (listeners === undefined) this.#listeners.set(key, listeners = new Set());
    listeners.add(onChange);
    return () => {
      listeners.delete(onChange);
      if (listeners.size === 0 && this.#listeners.get(key) === listeners) this.#listeners.delete(key);
    };
  }

  /** Parses the bundles only where there are listeners. */
  #notifyListeners(key: string, issued: IssuedCertificate | null, cut = false): void {
    const listeners = this.#listeners.get(key);
    if (listeners === undefined) return;
    const trust = issued === null ? null : new TrustStore(issued.bundles);
    for (const onChange of [...listeners]) onChange(trust, cut);
  }

  /** Frees everything. No handshake is in progress any more; callers that wait are not notified. */
  close(): void {
    for (const key of [...this.#pending.keys()]) this.#takePending(key);
    for (const timer of this.#retired.values()) timer.cancel();
    for (const context of this.#retired.keys()) context.close();
    for (const known of this.#known.values()) for (const context of contextsOf(known)) context.close();
    this.#retired.clear();
    this.#known.clear();
  }

  /** Frees the contexts later: pending dials need them for their handshakes. */
  #retire(known: Known): void {
    for (const context of contextsOf(known)) {
      const timer = this.#scheduler.after(RETIREMENT, () => {
        this.#retired.delete(context);
        context.close();
      });
      this.#retired.set(context, timer);
    }
  }

  #make(issued: IssuedCertificate, key: string): Credential | string {
    try {
      const trust = new TrustStore(issued.bundles);
      const context = this.#context(issued, trust);
      const watch: Credential["watch"] = (onChange) => this.#watch(key, onChange);
      return { id: shownId(issued), trust, context, notAfter: issued.notAfter, watch };
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  #context(issued: IssuedCertificate, trust: TrustStore): TlsContext {
    return this.#source.makeContext({
      chain: issued.chain,
      key: issued.key,
      anchors: trust.anchors,
      // Each handshake has its own `accept`; one without must trust no peer.
      accept: () => ({ code: "NO_EXPECTATION", message: "no expectation was set for this handshake" }),
    });
  }

  /** Removes the callers of a certificate. A caller that stops waiting leaves the set, also while it is iterated. */
  #takePending(key: string): ReadonlySet<Caller> {
    const callers = this.#pending.get(key) ?? new Set();
    this.#pending.delete(key);
    for (const { timer } of callers) timer.cancel();
    return callers;
  }
}

function keyOf(subject: CertificateSubject): string {
  return subjectKey(subject, "workload");
}

function notify(events: CredentialEvents, ready: Credential | string): void {
  if (typeof ready === "string") events.onCredentialFailure(ready);
  else events.onCredential(ready);
}

/** The contexts of a certificate and of its predecessors. */
function contextsOf({ credential, before }: Known): TlsContext[] {
  const earlier = before === null ? [] : contextsOf(before);
  return typeof credential === "object" && credential !== null ? [credential.context, ...earlier] : earlier;
}

/** In dedicated mode the CA decides by the token, and may decide otherwise (`docs/spec/identity-spire.md` A5). */
function shownId({ id, chain }: IssuedCertificate): SpiffeId {
  const leaf = parseCertificate(chain[0]!);
  const shown = isMalformed(leaf) ? null : spiffeIdOfLeaf(leaf);
  return typeof shown === "string" ? shown : id;
}

/** The same certificate with the same bundles: main sends it to all workers each time one of them requests it. */
function isSame(a: IssuedCertificate, b: IssuedCertificate): boolean {
  // Not by the serial, which two authorities may both have given.
  return areSame(a.chain, b.chain) && isSameTrust(a.bundles, b.bundles);
}

function isSameTrust(a: TrustBundles, b: TrustBundles): boolean {
  return a.byTrustDomain.size === b.byTrustDomain.size && areSame(a.anyTrustDomain, b.anyTrustDomain) &&
    [...a.byTrustDomain].every(([domain, anchors]) => areSame(anchors, b.byTrustDomain.get(domain) ?? []));
}

function areSame(a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean {
  return a.length === b.length && a.every((der, index) => equalBytes(der, b[index]!));
}
