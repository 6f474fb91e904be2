/**
 * The certificates this isolate has, ready for handshakes. Fed by whoever manages them; asks once for each it lacks.
 *
 * An engine's context takes up to a millisecond and 30 KB, and an authority with a new root sends a thousand
 * certificates at once: so it is made for the first handshake that needs it.
 *
 *     unknown ──get──▶ wanted ──certificate──▶ known ──renewed──▶ known ──withdrawn──▶ unknown
 *                        └──failed──▶ unknown      (waiters are told)
 */
import type { Timer } from "../net/clock.ts";
import type { Credential, CredentialEvents, Credentials, TrustListener } from "../hbone/credentials.ts";
import type { CertificateSubject, IssuedCertificate } from "../identity/authority.ts";
import { equalBytes, isMalformed, parseCertificate } from "../identity/certificate.ts";
import { spiffeIdOfLeaf } from "../identity/peer_chain.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { subjectKey } from "../identity/subject_key.ts";
import { type TrustBundles, TrustStore } from "../identity/trust_bundles.ts";
import type { Scheduler } from "../net/network.ts";
import type { TlsContext, TlsSettings } from "../net/tls_context.ts";

/** ms that a connection waits for a certificate. */
const CERTIFICATE_WAIT = 10_000;

/** ms until a replaced certificate's context is freed: longer than any dial and handshake. */
const RETIREMENT = 60_000;

interface Known {
  readonly issued: IssuedCertificate;
  /** Null before the first handshake; text: the engine refuses it. */
  credential: Credential | string | null;
  /** The one before, until this one has proven usable. */
  before: Known | null;
}

interface Waiter {
  readonly events: CredentialEvents;
  readonly timer: Timer;
}

/** Callers that wait for one certificate. */
interface Waiting extends Set<Waiter> {
  /** The reason for the delay, as far as it is known. */
  reason?: string;
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
  readonly #waiting = new Map<string, Waiting>();
  /** Who stands on a certificate, by the same key; emptied by those who watch. */
  readonly #watching = new Map<string, Set<TrustListener>>();
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
    if (known === undefined || this.#isExpired(known)) return this.#wait(subject, events);
    tell(events, this.#ready(known, keyOf(subject)));
    return () => {};
  }

  #isExpired({ issued }: Known): boolean {
    return issued.notAfter <= this.#wallClock();
  }

  /** A credential, or why there is none. What the engine refuses leaves the one before in use while that is valid. */
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
    let waiting = this.#waiting.get(key);
    const isFirst = waiting === undefined;
    if (waiting === undefined) this.#waiting.set(key, waiting = new Set());
    const timer = this.#scheduler.after(CERTIFICATE_WAIT, () => {
      waiting.delete(waiter);
      // The answer may be lost: whoever comes next asks again.
      if (waiting.size === 0 && this.#waiting.get(key) === waiting) this.#waiting.delete(key);
      const why = waiting.reason === undefined ? "" : `: ${waiting.reason}`;
      events.onCredentialFailure(`no certificate for ${subject.id} within ${CERTIFICATE_WAIT / 1000} s${why}`);
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
    const held = this.#known.get(key);
    const known = held !== undefined && isSame(held.issued, issued) ? held : this.#successor(issued, held ?? null);
    this.#known.set(key, known);
    if (held !== undefined && !isSameTrust(held.issued.bundles, issued.bundles)) this.#tellWatchers(key, issued);
    const waiting = this.#takeWaiting(key);
    if (waiting.size === 0) return;
    const ready = this.#ready(known, key);
    for (const { events } of waiting) tell(events, ready);
  }

  /** `held`, and what it succeeded itself, are forgotten as far as nobody has used them. */
  #successor(issued: IssuedCertificate, held: Known | null): Known {
    const usable = held !== null && typeof held.credential === "object" && held.credential !== null;
    return { issued, credential: null, before: usable ? held : held?.before ?? null };
  }

  failed(id: SpiffeId, message: string, workloadUid: string | null = null): void {
    for (const { events } of this.#takeWaiting(keyOf({ id, workloadUid }))) events.onCredentialFailure(message);
  }

  /** The certificate may arrive in a moment, without a further request: each caller waits until its own limit. */
  delayed(id: SpiffeId, reason: string, workloadUid: string | null = null): void {
    const waiting = this.#waiting.get(keyOf({ id, workloadUid }));
    if (waiting !== undefined) waiting.reason = reason;
  }

  /** New connections must not use it, or no workload needs it any more. Open ones continue, unless `cut` is set. */
  withdraw(id: SpiffeId, workloadUid: string | null = null, cut = false): void {
    const key = keyOf({ id, workloadUid });
    const known = this.#known.get(key);
    if (known === undefined) return;
    this.#known.delete(key);
    this.#retire(known);
    this.#tellWatchers(key, null, cut);
  }

  #watch(key: string, onChange: TrustListener): () => void {
    let watching = this.#watching.get(key);
    if (watching === undefined) this.#watching.set(key, watching = new Set());
    watching.add(onChange);
    return () => {
      watching.delete(onChange);
      if (watching.size === 0 && this.#watching.get(key) === watching) this.#watching.delete(key);
    };
  }

  /** Bundles are parsed for those only who want to know. */
  #tellWatchers(key: string, issued: IssuedCertificate | null, cut = false): void {
    const watching = this.#watching.get(key);
    if (watching === undefined) return;
    const trust = issued === null ? null : new TrustStore(issued.bundles);
    for (const onChange of [...watching]) onChange(trust, cut);
  }

  /** Nobody waits and no handshake is under way any more. */
  close(): void {
    for (const key of [...this.#waiting.keys()]) this.#takeWaiting(key);
    for (const timer of this.#retired.values()) timer.cancel();
    for (const context of this.#retired.keys()) context.close();
    for (const known of this.#known.values()) for (const context of contextsOf(known)) context.close();
    this.#retired.clear();
    this.#known.clear();
  }

  /** Dials under way hold it and need it for their handshake. */
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
      // Every handshake brings its own expectation; one without would trust anybody.
      accept: () => ({ code: "NO_EXPECTATION", message: "no expectation was set for this handshake" }),
    });
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

function tell(events: CredentialEvents, ready: Credential | string): void {
  if (typeof ready === "string") events.onCredentialFailure(ready);
  else events.onCredential(ready);
}

/** Made of a certificate and of those it has not replaced yet. */
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

/** The same certificate with the same bundles: sent to every worker each time one of them asks. */
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
