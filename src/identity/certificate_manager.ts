/**
 * Keeps a certificate for every requested identity: it is fetched once, shared by all callers, renewed in time, and kept
 * until it expires while the authority is unreachable (`docs/spec/identity-spire.md` 2).
 *
 *   get, prefetch ─▶ managed (certificate_state.ts) ─▶ FetchQueue ─▶ at most 8 fetches ─▶ managed ─▶ waiters, onChange
 *                                                          ▲                                │
 *                                                          ╰───── renewal, retry ◀──────────╯
 *
 * Runs on the main thread. The clock is injected, so that tests run it under virtual time.
 */
import type { Clock, Timer } from "../net/clock.ts";
import {
  type CertificateAuthority,
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
} from "./authority.ts";
import { backoffDelay } from "./backoff.ts";
import { afterFetch, type CertificateState, type FetchOutcome, INITIALIZING, readState } from "./certificate_state.ts";
import { CertificateWaiters } from "./certificate_waiters.ts";
import { FetchPace } from "./fetch_pace.ts";
import { FetchQueue, Priority } from "./fetch_queue.ts";
import { nextThreshold, shouldWarn, THRESHOLDS, thresholdsPassed } from "./expiry_warnings.ts";
import type { ManagerEvents } from "./manager_events.ts";
import { isExpired, nextRenewal } from "./renewal.ts";
import { subjectKey } from "./subject_key.ts";

/** What a manager needs. */
export interface CertificateManagerOptions {
  readonly authority: CertificateAuthority;
  /** The wall clock. It may be set; see `#readClock`. */
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly events: ManagerEvents;
  /** Called after each change of a certificate's state, before its waiters continue; null: it was removed. */
  readonly onChange: (subject: CertificateSubject, state: CertificateState | null) => void;
  /** How many fetches run at the same time; by default what the authority says, else 8. */
  readonly concurrency?: number;
}

/** A certificate with its state, as {@link CertificateManager.statuses} returns it. */
export interface CertificateStatus {
  readonly subject: CertificateSubject;
  readonly state: CertificateState;
  /** Why the last fetch has failed, also where the certificate of an earlier one is still valid; null: it has not. */
  readonly lastError: CertificateError | null;
}

/** A certificate that the manager keeps. */
interface ManagedCertificate {
  readonly key: string;
  readonly subject: CertificateSubject;
  readonly waiters: CertificateWaiters;
  state: CertificateState;
  /** The number of consecutive failed fetches. */
  failures: number;
  /** The error of the last fetch. */
  error: CertificateError | null;
  /** How many of the {@link THRESHOLDS} have been reported for the current certificate. */
  reported: number;
  /** True until the fetch finishes or a caller other than a prefetch requests the certificate. */
  prefetching: boolean;
}

/** Limit of prefetches that have not finished (`docs/spec/identity-spire.md` 2.1). */
const MAX_PREFETCHES = 256;
/** ms. Short enough to notice soon that the clock was set. */
const MAX_SLEEP = 5 * 60 * 1000;
const NO_LONGER_NEEDED = "the identity is no longer needed";

/** Fetches, renews and returns certificates. See the picture above. */
export class CertificateManager {
  readonly #options: CertificateManagerOptions;
  readonly #concurrency: number;
  /** By key. Callers add entries with `get` and `prefetch`, and delete them with `remove`. */
  readonly #managed = new Map<string, ManagedCertificate>();
  readonly #queue = new FetchQueue();
  readonly #pace = new FetchPace();
  /** The keys of pending fetches. A key may be removed, and requested again, while its fetch is pending. */
  readonly #fetching = new Set<string>();
  readonly #closing = new AbortController();
  #timer: Timer | null = null;
  #lastNow: number;
  #prefetches = 0;

  constructor(options: CertificateManagerOptions) {
    this.#options = options;
    this.#concurrency = options.concurrency ?? options.authority.concurrency ?? 8;
    if (this.#concurrency < 1) throw new RangeError("concurrency cannot be 0, operations would block forever");
    this.#lastNow = options.clock.now();
    options.authority.onUpdate?.((subject, update) => this.#update(subject, update));
  }

  /** How many certificates are managed, in any state. */
  get size(): number {
    return this.#managed.size;
  }

  /**
   * Returns a certificate that has not expired: the current one, else the outcome of the next fetch. After a failed
   * fetch all callers get its error until the retry, which has been scheduled (`docs/spec/identity-spire.md` 2.4).
   * Rejects with {@link CertificateError}, or with the reason of `signal`; the fetch continues in that case.
   */
  get(subject: CertificateSubject, priority: Priority, signal?: AbortSignal): Promise<IssuedCertificate> {
    if (this.#closing.signal.aborted) return Promise.reject(closedError());
    const now = this.#readClock();
    const entry = this.#managedFor(subject);
    this.#endPrefetch(entry);
    const known = readState(entry.state, now);
    if (known !== null) return known.ok ? Promise.resolve(known.certificate) : Promise.reject(known.error);
    const waiting = entry.waiters.add(signal);
    this.#request(entry, priority, now);
    return waiting;
  }

  /** Returns the current certificate; null where there is none or it has expired. Does not start a fetch. */
  current(subject: CertificateSubject): IssuedCertificate | null {
    const entry = this.#managed.get(this.#keyOf(subject));
    const known = entry === undefined ? null : readState(entry.state, this.#readClock());
    return known?.ok ? known.certificate : null;
  }

  /** Starts a fetch before the certificate is needed, unless too many prefetches are pending. Returns at once. */
  prefetch(subject: CertificateSubject): void {
    if (this.#closing.signal.aborted || this.#managed.has(this.#keyOf(subject))) return;
    if (this.#prefetches >= MAX_PREFETCHES) return this.#options.events.prefetchDropped(subject.id);
    const entry = this.#managedFor(subject);
    entry.prefetching = true;
    this.#prefetches++;
    this.#request(entry, Priority.Warmup, this.#readClock());
  }

  /** Drops the certificate and its private key; rejects the callers that wait for it. */
  remove(subject: CertificateSubject): void {
    const entry = this.#managed.get(this.#keyOf(subject));
    if (entry === undefined) return;
    this.#endPrefetch(entry);
    this.#managed.delete(entry.key);
    this.#queue.remove(entry.key);
    this.#options.authority.release?.(entry.subject);
    this.#options.onChange(entry.subject, null);
    entry.waiters.settle({ ok: false, error: new CertificateError(NO_LONGER_NEEDED, "FORGOTTEN") });
  }

  /** Returns every certificate with its state, sorted by identity, then pod, for the dump and metrics. */
  statuses(): CertificateStatus[] {
    const sorted = [...this.#managed.values()].sort((a, b) => a.key < b.key ? -1 : 1);
    return sorted.map(({ subject, state, error }) => ({ subject, state, lastError: error }));
  }

  /** Aborts all fetches and rejects all waiting callers. Does not close the authority. Idempotent. */
  close(): void {
    this.#closing.abort(closedError());
    this.#timer?.cancel();
    this.#queue.clear();
    for (const entry of this.#managed.values()) entry.waiters.settle({ ok: false, error: closedError() });
    this.#managed.clear();
  }

  #keyOf(subject: CertificateSubject): string {
    return subjectKey(subject, this.#options.authority.keyedBy);
  }

  #managedFor(subject: CertificateSubject): ManagedCertificate {
    const key = this.#keyOf(subject);
    const known = this.#managed.get(key);
    if (known !== undefined) return known;
    const perWorkload = this.#options.authority.keyedBy === "workload";
    const entry: ManagedCertificate = {
      key,
      subject: perWorkload ? subject : { id: subject.id, workloadUid: null },
      waiters: new CertificateWaiters(),
      state: INITIALIZING,
      failures: 0,
      error: null,
      reported: 0,
      prefetching: false,
    };
    this.#managed.set(key, entry);
    return entry;
  }

  /** Stops counting the certificate as a prefetch: it has been requested, removed or fetched. */
  #endPrefetch(entry: ManagedCertificate): void {
    if (entry.prefetching) this.#prefetches--;
    entry.prefetching = false;
  }

  #request(entry: ManagedCertificate, priority: Priority, due: number): void {
    if (this.#fetching.has(entry.key)) return;
    this.#queue.add(entry.key, priority, this.#pace.earliest(entry.key, due));
    this.#startDue();
  }

  /** Starts the fetches that are due up to the limit, then sets the timer for the next one. */
  #startDue(): void {
    if (this.#closing.signal.aborted) return;
    const now = this.#readClock();
    while (this.#fetching.size < this.#concurrency) {
      const key = this.#queue.take(now);
      if (key === null) break;
      this.#pace.started(key, now);
      this.#fetching.add(key);
      void this.#runFetch(this.#managed.get(key)!);
    }
    this.#timer?.cancel();
    this.#timer = null;
    const fetchDue = this.#fetching.size < this.#concurrency ? this.#queue.nextDue() : null;
    const due = Math.min(fetchDue ?? Infinity, this.#warnOfExpiry(now));
    if (due === Infinity) return;
    const delay = Math.min(Math.max(due - now, 0), MAX_SLEEP);
    this.#timer = this.#options.clock.after(delay, () => this.#startDue());
  }

  async #runFetch(requested: ManagedCertificate): Promise<void> {
    const outcome = await this.#fetch(requested.subject);
    if (this.#closing.signal.aborted) return;
    this.#fetching.delete(requested.key);
    const entry = this.#managed.get(requested.key);
    // Removed meanwhile: the outcome is not needed. Removed and requested again: the outcome is used, unless the
    // authority aborted the fetch when the subject was released.
    const wasReleased = entry !== requested && !outcome.ok && outcome.error.code === "FORGOTTEN";
    if (entry !== undefined && wasReleased) this.#request(entry, Priority.RealTime, this.#readClock());
    else if (entry !== undefined) this.#settle(entry, outcome);
    this.#startDue();
  }

  async #fetch(subject: CertificateSubject): Promise<FetchOutcome> {
    try {
      const certificate = await this.#options.authority.fetch(subject, this.#closing.signal);
      return this.#accept(subject, certificate);
    } catch (error) {
      return { ok: false, error: asCertificateError(error) };
    }
  }

  /** Checks id and expiry again, whatever the authority has checked (`docs/spec/identity-spire.md` S13, S15). */
  #accept(subject: CertificateSubject, certificate: IssuedCertificate): FetchOutcome {
    if (certificate.id !== subject.id) {
      const text = `did not find expected SAN: ${subject.id}`;
      return { ok: false, error: new CertificateError(text, "SAN_MISMATCH") };
    }
    if (isExpired(certificate, this.#options.clock.now())) {
      const text = `certificate for ${subject.id} has already expired`;
      return { ok: false, error: new CertificateError(text, "EXPIRED") };
    }
    return { ok: true, certificate };
  }

  /** Applies the outcome of a fetch: new state, next fetch, events, waiters. */
  #settle(entry: ManagedCertificate, outcome: FetchOutcome): void {
    const now = this.#readClock();
    const before = entry.state;
    entry.state = afterFetch(before, outcome, now);
    entry.failures = outcome.ok ? 0 : entry.failures + 1;
    this.#reportPrefetch(entry, outcome);
    const next = outcome.ok ? nextRenewal(outcome.certificate, now) : this.#retryAt(entry, outcome.error, now);
    this.#queue.add(entry.key, Priority.Background, this.#pace.earliest(entry.key, next));
    entry.error = outcome.ok ? null : outcome.error;
    if (entry.state !== before) {
      // No warning about a certificate that was past its half-life when it was issued (observed.md O10).
      entry.reported = entry.state.at === "available" ? thresholdsPassed(entry.state.certificate, now) : 0;
      this.#options.onChange(entry.subject, entry.state);
    }
    const known = readState(entry.state, now);
    if (known !== null) entry.waiters.settle(known);
  }

  /** Applies a pushed update. A withdrawn certificate is dropped at once, however long it would be valid. */
  #update(subject: CertificateSubject, update: IssuedCertificate | CertificateError): void {
    const entry = this.#managed.get(this.#keyOf(subject));
    if (entry === undefined) return this.#options.authority.release?.(subject);
    this.#queue.remove(entry.key);
    if (update instanceof CertificateError) {
      entry.state = INITIALIZING;
      this.#settle(entry, { ok: false, error: update });
    } else {
      this.#settle(entry, this.#accept(subject, update));
    }
    this.#startDue();
  }

  /** Reports certificates that have passed a threshold, once each; returns the time of the next threshold. */
  #warnOfExpiry(now: number): number {
    let next = Infinity;
    for (const entry of this.#managed.values()) {
      if (entry.state.at !== "available") continue;
      const { certificate } = entry.state;
      next = Math.min(next, nextThreshold(certificate, now));
      const passed = thresholdsPassed(certificate, now);
      if (passed <= entry.reported || !shouldWarn(certificate, passed, entry.error !== null, now)) continue;
      entry.reported = passed;
      this.#options.events.ageing(entry.subject.id, THRESHOLDS[passed - 1]!, certificate.notAfter, entry.error);
    }
    return next;
  }

  #reportPrefetch(entry: ManagedCertificate, outcome: FetchOutcome): void {
    if (!entry.prefetching) return;
    this.#endPrefetch(entry);
    if (outcome.ok) this.#options.events.prefetched(entry.subject.id);
    else this.#options.events.prefetchFailed(entry.subject.id, outcome.error);
  }

  /** Reports a failed fetch; returns the time of the retry. */
  #retryAt(entry: ManagedCertificate, error: CertificateError, now: number): number {
    const delay = backoffDelay(entry.failures, this.#options.random());
    const { id } = entry.subject;
    if (entry.state.at === "available") {
      const until = entry.state.certificate.notAfter;
      const next = this.#pace.earliest(entry.key, Math.min(now + delay, until));
      this.#options.events.renewalFailed(id, error, until, next);
      return next;
    }
    const next = this.#pace.earliest(entry.key, now + delay);
    this.#options.events.fetchFailed(id, error, next - now);
    return next;
  }

  /** Returns the time. When the clock was set back, adjusts the queue, so that nothing is postponed. */
  #readClock(): number {
    const now = this.#options.clock.now();
    if (now < this.#lastNow) {
      this.#queue.shift(now - this.#lastNow);
      this.#pace.clear();
    }
    this.#lastNow = now;
    return now;
  }
}

function closedError(): CertificateError {
  return new CertificateError("certificate manager is closed", "CLOSED");
}

function asCertificateError(error: unknown): CertificateError {
  if (error instanceof CertificateError) return error;
  return new CertificateError(error instanceof Error ? error.message : String(error), "UNAVAILABLE", { cause: error });
}
