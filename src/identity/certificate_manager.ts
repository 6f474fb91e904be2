/**
 * Keeps a certificate for every identity somebody asked for: fetched once, shared by all, renewed in time, kept until
 * it expires when the authority is away (`docs/spec/identity-spire.md` 2).
 *
 *   get, prefetch ─▶ entry (certificate_state.ts) ─▶ FetchQueue ─▶ at most 8 flights ─▶ entry ─▶ waiters, onChange
 *                                                       ▲                               │
 *                                                       ╰──── renewal, retry ◀──────────╯
 *
 * Runs on the main thread. Takes its time from a clock, so it runs under virtual time too.
 */
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
import { isWorthTelling, MARKS, marksPassed, nextMark } from "./life_left.ts";
import type { ManagerEvents } from "./manager_events.ts";
import { isExpired, nextRenewal } from "./renewal.ts";
import { subjectKey } from "./subject_key.ts";

/** The wall clock, in ms since the epoch. It may be set; see `#readClock`. */
export interface WallClock {
  now(): number;
  after(delay: number, run: () => void): { cancel(): void };
}

export interface CertificateManagerOptions {
  readonly authority: CertificateAuthority;
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly events: ManagerEvents;
  /** A key's state changed; null: it was forgotten. Called after the change, before waiters go on. */
  readonly onChange: (subject: CertificateSubject, state: CertificateState | null) => void;
  /** Fetches at the same time; default 8. */
  readonly concurrency?: number;
}

/** A line of {@link CertificateManager.statuses}. */
export interface CertificateStatus {
  readonly subject: CertificateSubject;
  readonly state: CertificateState;
}

interface Entry {
  readonly key: string;
  readonly subject: CertificateSubject;
  readonly waiters: CertificateWaiters;
  state: CertificateState;
  /** In a row. */
  failures: number;
  /** Of the last fetch. */
  error: CertificateError | null;
  /** How many of its marks ({@link MARKS}) the certificate held has passed and been reported for. */
  reported: number;
  /** Only a prefetch asked for it so far, and the fetch has not finished. */
  prefetching: boolean;
}

/** Prefetches that have not finished (`docs/spec/identity-spire.md` 2.1). */
const MAX_PREFETCHES = 256;
/** Below the longest delay of a timer, and often enough to notice that the clock was set. */
const MAX_SLEEP = 5 * 60 * 1000;
const NO_LONGER_NEEDED = "the identity is no longer needed";

export class CertificateManager {
  readonly #options: CertificateManagerOptions;
  readonly #concurrency: number;
  /** Owned by those who ask and forget. */
  readonly #entries = new Map<string, Entry>();
  readonly #queue = new FetchQueue();
  readonly #pace = new FetchPace();
  /** Keys being fetched. A key may be forgotten, and asked for again, meanwhile. */
  readonly #flights = new Set<string>();
  readonly #closing = new AbortController();
  #timer: { cancel(): void } | null = null;
  #lastNow: number;
  #prefetches = 0;

  constructor(options: CertificateManagerOptions) {
    this.#options = options;
    this.#concurrency = options.concurrency ?? options.authority.concurrency ?? 8;
    if (this.#concurrency < 1) throw new RangeError("concurrency cannot be 0, operations would block forever");
    this.#lastNow = options.clock.now();
    options.authority.onUpdate?.((subject, update) => this.#update(subject, update));
  }

  /** Managed keys. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * A certificate that has not expired: the one held, else the outcome of the next fetch. After a failed fetch its
   * error is given to everybody until the retry, which has been scheduled (2.4). Rejects with
   * {@link CertificateError}, or with the reason of `signal`; the fetch goes on in that case.
   */
  get(subject: CertificateSubject, priority: Priority, signal?: AbortSignal): Promise<IssuedCertificate> {
    if (this.#closing.signal.aborted) return Promise.reject(closedError());
    const now = this.#readClock();
    const entry = this.#entry(subject);
    this.#endPrefetch(entry);
    const known = readState(entry.state, now);
    if (known !== null) return known.ok ? Promise.resolve(known.certificate) : Promise.reject(known.error);
    const waiting = entry.waiters.add(signal);
    this.#request(entry, priority, now);
    return waiting;
  }

  /** The certificate held, if it has not expired. Starts nothing. */
  current(subject: CertificateSubject): IssuedCertificate | null {
    const entry = this.#entries.get(this.#keyOf(subject));
    const known = entry === undefined ? null : readState(entry.state, this.#readClock());
    return known?.ok ? known.certificate : null;
  }

  /** Fetches in good time what will be needed. Returns at once; dropped when too many are under way. */
  prefetch(subject: CertificateSubject): void {
    if (this.#closing.signal.aborted || this.#entries.has(this.#keyOf(subject))) return;
    if (this.#prefetches >= MAX_PREFETCHES) return this.#options.events.prefetchDropped(subject.id);
    const entry = this.#entry(subject);
    entry.prefetching = true;
    this.#prefetches++;
    this.#request(entry, Priority.Warmup, this.#readClock());
  }

  /** Drops the key with its certificate and private key; whoever waits for it is told so. */
  forget(subject: CertificateSubject): void {
    const entry = this.#entries.get(this.#keyOf(subject));
    if (entry === undefined) return;
    this.#endPrefetch(entry);
    this.#entries.delete(entry.key);
    this.#queue.remove(entry.key);
    this.#options.authority.release?.(entry.subject);
    this.#options.onChange(entry.subject, null);
    entry.waiters.settle({ ok: false, error: new CertificateError(NO_LONGER_NEEDED, "FORGOTTEN") });
  }

  /** Every key with its state, sorted by identity, then pod. For the dump. */
  statuses(): CertificateStatus[] {
    const sorted = [...this.#entries.values()].sort((a, b) => a.key < b.key ? -1 : 1);
    return sorted.map(({ subject, state }) => ({ subject, state }));
  }

  /** Ends everything: fetches are aborted, waiters rejected. Does not close the authority. Idempotent. */
  close(): void {
    this.#closing.abort(closedError());
    this.#timer?.cancel();
    this.#queue.clear();
    for (const entry of this.#entries.values()) entry.waiters.settle({ ok: false, error: closedError() });
    this.#entries.clear();
  }

  #keyOf(subject: CertificateSubject): string {
    return subjectKey(subject, this.#options.authority.keyedBy);
  }

  #entry(subject: CertificateSubject): Entry {
    const key = this.#keyOf(subject);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const perWorkload = this.#options.authority.keyedBy === "workload";
    const entry: Entry = {
      key,
      subject: perWorkload ? subject : { id: subject.id, workloadUid: null },
      waiters: new CertificateWaiters(),
      state: INITIALIZING,
      failures: 0,
      error: null,
      reported: 0,
      prefetching: false,
    };
    this.#entries.set(key, entry);
    return entry;
  }

  /** Somebody else than a prefetch is interested, or it is over. */
  #endPrefetch(entry: Entry): void {
    if (entry.prefetching) this.#prefetches--;
    entry.prefetching = false;
  }

  #request(entry: Entry, priority: Priority, due: number): void {
    if (this.#flights.has(entry.key)) return;
    this.#queue.add(entry.key, priority, this.#pace.earliest(entry.key, due));
    this.#pump();
  }

  /** Starts what is due while there are free slots, then sleeps until something is. */
  #pump(): void {
    if (this.#closing.signal.aborted) return;
    const now = this.#readClock();
    while (this.#flights.size < this.#concurrency) {
      const key = this.#queue.take(now);
      if (key === null) break;
      this.#pace.started(key, now);
      this.#flights.add(key);
      void this.#fly(this.#entries.get(key)!);
    }
    this.#timer?.cancel();
    this.#timer = null;
    const fetchDue = this.#flights.size < this.#concurrency ? this.#queue.nextDue() : null;
    const due = Math.min(fetchDue ?? Infinity, this.#reportAges(now));
    if (due === Infinity) return;
    const delay = Math.min(Math.max(due - now, 0), MAX_SLEEP);
    this.#timer = this.#options.clock.after(delay, () => this.#pump());
  }

  async #fly(passenger: Entry): Promise<void> {
    const outcome = await this.#fetch(passenger.subject);
    if (this.#closing.signal.aborted) return;
    this.#flights.delete(passenger.key);
    const entry = this.#entries.get(passenger.key);
    // Forgotten meanwhile: the certificate is of no use to anybody. Forgotten and wanted again: it is, unless the
    // authority gave up when it was released.
    const gaveUp = entry !== passenger && !outcome.ok && outcome.error.code === "FORGOTTEN";
    if (entry !== undefined && gaveUp) this.#request(entry, Priority.RealTime, this.#readClock());
    else if (entry !== undefined) this.#land(entry, outcome);
    this.#pump();
  }

  async #fetch(subject: CertificateSubject): Promise<FetchOutcome> {
    try {
      const certificate = await this.#options.authority.fetch(subject, this.#closing.signal);
      return this.#accept(subject, certificate);
    } catch (error) {
      return { ok: false, error: asCertificateError(error) };
    }
  }

  /** The last look before anybody uses it, whatever the authority has checked (S13, S15). */
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

  #land(entry: Entry, outcome: FetchOutcome): void {
    const now = this.#readClock();
    const before = entry.state;
    entry.state = afterFetch(before, outcome, now);
    entry.failures = outcome.ok ? 0 : entry.failures + 1;
    this.#reportPrefetch(entry, outcome);
    const next = outcome.ok ? nextRenewal(outcome.certificate, now) : this.#retryAt(entry, outcome.error, now);
    this.#queue.add(entry.key, Priority.Background, this.#pace.earliest(entry.key, next));
    entry.error = outcome.ok ? null : outcome.error;
    if (entry.state !== before) {
      // One that arrives old, dated back by more than it lives (observed.md O10), is not to be complained about.
      entry.reported = entry.state.at === "available" ? marksPassed(entry.state.certificate, now) : 0;
      this.#options.onChange(entry.subject, entry.state);
    }
    const known = readState(entry.state, now);
    if (known !== null) entry.waiters.settle(known);
  }

  /** News that nobody asked for. What is withdrawn ends at once, however long it would be valid. */
  #update(subject: CertificateSubject, update: IssuedCertificate | CertificateError): void {
    const entry = this.#entries.get(this.#keyOf(subject));
    if (entry === undefined) return this.#options.authority.release?.(subject);
    this.#queue.remove(entry.key);
    if (update instanceof CertificateError) {
      entry.state = INITIALIZING;
      this.#land(entry, { ok: false, error: update });
    } else {
      this.#land(entry, this.#accept(subject, update));
    }
    this.#pump();
  }

  /** Tells of certificates that have passed a mark, once for each; returns when the next one is due. */
  #reportAges(now: number): number {
    let next = Infinity;
    for (const entry of this.#entries.values()) {
      if (entry.state.at !== "available") continue;
      const { certificate } = entry.state;
      next = Math.min(next, nextMark(certificate, now));
      const passed = marksPassed(certificate, now);
      if (passed <= entry.reported || !isWorthTelling(certificate, passed, entry.error !== null, now)) continue;
      entry.reported = passed;
      this.#options.events.ageing(entry.subject.id, MARKS[passed - 1]!, certificate.notAfter, entry.error);
    }
    return next;
  }

  #reportPrefetch(entry: Entry, outcome: FetchOutcome): void {
    if (!entry.prefetching) return;
    this.#endPrefetch(entry);
    if (outcome.ok) this.#options.events.prefetched(entry.subject.id);
    else this.#options.events.prefetchFailed(entry.subject.id, outcome.error);
  }

  #retryAt(entry: Entry, error: CertificateError, now: number): number {
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

  /** The time; a clock that was set back does not postpone what is queued. */
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
