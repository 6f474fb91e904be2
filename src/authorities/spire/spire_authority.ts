/**
 * Fetches certificates from SPIRE with one stream per subject, on which the agent pushes updates. The source determines
 * how subjects are named to the agent: by process, by selectors, or by a broker's reference.
 *
 *   fetch ─▶ SvidSession (one for each subject) ─▶ Slots ─▶ SvidSource ─▶ agent
 *              ▲                   │
 *   shared bundles, agent recovered  ╰─ pushes ─▶ certificate manager
 */
import {
  type CertificateAuthority,
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
  isTemporary,
  type UpdateListener,
} from "../../identity/authority.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import type { TrustDomain } from "../../identity/spiffe_id.ts";
import { subjectKey } from "../../identity/subject_key.ts";
import { NO_BUNDLES, type TrustBundles } from "../../identity/trust_bundles.ts";
import type { Timer, WallClock } from "../../net/clock.ts";
import { type BundleMap, trustOf } from "./bundles.ts";
import { isTrusted, type SharedTrust } from "./shared_trust.ts";
import { Slots } from "./slots.ts";
import type { SvidSource } from "./source.ts";
import { SvidSession } from "./svid_session.ts";

/** What the authority needs. */
interface SpireAuthorityOptions {
  readonly source: SvidSource;
  /** The trust domain of all subjects: `CLUSTER_DOMAIN`. */
  readonly trustDomain: TrustDomain;
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** ms from the first request to the agent until the first certificate. */
  readonly timeout: number;
  /** How many subjects are attested at the same time. */
  readonly concurrency: number;
  readonly log: WriteLine;
  /** The limit of streams; default {@link MAX_SUBJECTS}. */
  readonly maxSubjects?: number;
}

/** The limit of subjects, which no node reaches. Each has a stream, a key and its chain. */
const MAX_SUBJECTS = 4096;
/** ms between checks of processes, and between attempts of one of the refused sessions. */
const CHECK = 5_000;
/** ms. When a stream works, all waiting sessions are retried, but at most once in this time. */
const RETRY_ALL_GAP = 5_000;

/** The authority for SPIRE agents and SPIFFE brokers. */
export class SpireAuthority implements CertificateAuthority {
  readonly keyedBy: "identity" | "workload";
  readonly concurrency: number;
  readonly #options: SpireAuthorityOptions;
  /** Resolves with the first bundle of {@link SpireAuthorityOptions.trustDomain}. */
  readonly connected: Promise<void>;
  readonly #slots: Slots;
  readonly #trust: SharedTrust;
  /** By `subjectKey`; deleted by {@link release}; at most {@link concurrency}. */
  readonly #sessions = new Map<string, SvidSession>();
  #listener: UpdateListener = () => {};
  #check: Timer | null = null;
  #retriedAllAt = -Infinity;
  #awaySince: number | null;
  #closed = false;

  constructor(options: SpireAuthorityOptions) {
    this.#options = options;
    this.keyedBy = options.source.keyedBy;
    this.concurrency = options.maxSubjects ?? MAX_SUBJECTS;
    this.#slots = new Slots(options.concurrency);
    this.#awaySince = options.clock.now();
    this.#trust = { own: options.trustDomain, bundles: null, problem: null };
    const connected = Promise.withResolvers<void>();
    this.connected = connected.promise;
    options.source.start({
      onBundles: (bundles) => {
        this.#awaySince = null;
        if (isTrusted(options.trustDomain, bundles)) connected.resolve();
        else this.#warnOfDomain(bundles);
        Object.assign(this.#trust, { bundles, problem: null });
        this.#forEach((session) => session.trustChanged());
      },
      onProblem: (error) => {
        this.#trust.problem = error;
        this.#awaySince ??= options.clock.now();
      },
      onRecovered: () => this.#retryAll(),
      onContainerStarted: (uid) =>
        this.#forEach((session) => session.subject.workloadUid === uid && session.containerStarted()),
    });
  }

  get awaySince(): number | null {
    return this.#awaySince;
  }

  /** The number of subjects. */
  get size(): number {
    return this.#sessions.size;
  }

  onUpdate(listener: UpdateListener): void {
    this.#listener = listener;
  }

  // deno-lint-ignore require-await -- so that errors become rejections
  async fetch(subject: CertificateSubject, signal: AbortSignal): Promise<IssuedCertificate> {
    signal.throwIfAborted();
    if (this.#closed) throw closedError();
    return this.#session(subject).request(signal);
  }

  bundles(): TrustBundles {
    const { own, bundles } = this.#trust;
    return bundles === null ? NO_BUNDLES : trustOf(own, bundles, [...bundles.keys()]);
  }

  release(subject: CertificateSubject): void {
    const key = subjectKey(subject, this.keyedBy);
    const session = this.#sessions.get(key);
    this.#sessions.delete(key);
    session?.close(new CertificateError("the identity is no longer needed", "FORGOTTEN"));
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#check?.cancel();
    this.#forEach((session) => session.close(closedError()));
    this.#sessions.clear();
    this.#options.source.close();
  }

  #session(subject: CertificateSubject): SvidSession {
    const key = subjectKey(subject, this.keyedBy);
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    if (this.#sessions.size >= this.concurrency) {
      const text = `there are streams for ${this.concurrency} identities already, which is the limit of one node`;
      throw new CertificateError(text, "UNAVAILABLE");
    }
    const { source, clock, random, timeout, log } = this.#options;
    const session = new SvidSession(subject, {
      source,
      clock,
      random,
      timeout,
      slots: this.#slots,
      trust: this.#trust,
      update: (updated, update) => this.#listener(updated, update),
      onWorking: () => this.#streamWorks(),
      log,
    });
    this.#sessions.set(key, session);
    this.#watch();
    return session;
  }

  /** Logs at once that the bundle is missing without which no peer can be verified. */
  #warnOfDomain(bundles: BundleMap): void {
    const { trustDomain, log } = this.#options;
    const others = [...bundles.keys()].slice(0, 8).join(", ") || "none";
    log(
      "warn",
      `SPIRE has no trust bundle of ${trustDomain}, which CLUSTER_DOMAIN says is the trust domain, but of: ${others}. ` +
        "CLUSTER_DOMAIN must be SPIRE's trust_domain, and so must the trust domain of the mesh (meshConfig.trustDomain); " +
        "no certificate can be used before that",
      {},
    );
  }

  /** Starts the periodic check while there are sessions. */
  #watch(): void {
    if (this.#check !== null) return;
    this.#check = this.#options.clock.after(CHECK, () => {
      this.#check = null;
      this.#forEach((session) => session.checkProcess());
      this.#probe();
      if (this.#sessions.size > 0) this.#watch();
    });
  }

  /**
   * An agent that refuses this proxy refuses all sessions, whose delays grow to minutes. Therefore the session that has
   * waited longest is retried here; when its stream works, all others are retried.
   */
  #probe(): void {
    let longest: SvidSession | null = null;
    for (const session of this.#sessions.values()) {
      if (!this.#concernsAll(session)) continue;
      if (longest === null || session.attemptedAt < longest.attemptedAt) longest = session;
    }
    longest?.retryNow();
  }

  /** A stream of one session works, so the cause of the failures of others may have ended. */
  #streamWorks(): void {
    if (this.#options.clock.elapsed() >= this.#retriedAllAt + RETRY_ALL_GAP) this.#retryAll();
  }

  #retryAll(): void {
    this.#retriedAllAt = this.#options.clock.elapsed();
    this.#forEach((session) => this.#concernsAll(session) && session.retryNow());
  }

  /** Returns whether the session waits because of a failure that does not concern its pod only. */
  #concernsAll({ failure }: SvidSession): boolean {
    return failure !== null && !isTemporary(failure) && !this.#options.source.withdrawsOn.has(failure.code);
  }

  #forEach(call: (session: SvidSession) => unknown): void {
    for (const session of [...this.#sessions.values()]) call(session);
  }
}

function closedError(): CertificateError {
  return new CertificateError("the SPIRE client is closed", "CLOSED");
}
