/**
 * SPIRE as certificate authority: one stream for each subject, on which the agent pushes. How subjects are named to the
 * agent is the business of the source: by process, by selectors, or by a broker's reference.
 *
 *   fetch ─▶ SvidSession (one for each subject) ─▶ Slots ─▶ SvidSource ─▶ agent
 *              ▲                   │
 *   shared bundles, agent is back  ╰─ pushes ─▶ certificate manager
 */
import {
  type CertificateAuthority,
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
  isTemporary,
  type UpdateListener,
} from "../../identity/authority.ts";
import type { WallClock } from "../../identity/certificate_manager.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import type { TrustDomain } from "../../identity/spiffe_id.ts";
import { subjectKey } from "../../identity/subject_key.ts";
import { NO_BUNDLES, type TrustBundles } from "../../identity/trust_bundles.ts";
import { type BundleMap, trustOf } from "./bundles.ts";
import { isTrusted, type SharedTrust } from "./shared_trust.ts";
import { Slots } from "./slots.ts";
import type { SvidSource } from "./source.ts";
import { SvidSession } from "./svid_session.ts";

export interface SpireAuthorityOptions {
  readonly source: SvidSource;
  /** Whose bundle must be there: `CLUSTER_DOMAIN`. */
  readonly trustDomain: TrustDomain;
  readonly clock: WallClock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** ms from asking the agent to the first certificate. */
  readonly timeout: number;
  /** Subjects that the agent attests for us at the same time. */
  readonly concurrency: number;
  readonly log: WriteLine;
  /** Streams; default {@link MAX_SUBJECTS}. */
  readonly maxSubjects?: number;
}

/** More pods than any node has. Each holds a stream, a key and its chain. */
const MAX_SUBJECTS = 4096;
/** How often processes are checked, and how often one of the refused sessions asks the agent again. */
const CHECK = 5_000;
/** When a stream works, all waiting sessions try again, but not more often than once in this time (ms). */
const WAKE_GAP = 5_000;

export class SpireAuthority implements CertificateAuthority {
  readonly keyedBy: "identity" | "workload";
  readonly concurrency: number;
  readonly #options: SpireAuthorityOptions;
  /** Resolves with the first bundle of our own trust domain: the agent is reachable, and it is the right one. */
  readonly connected: Promise<void>;
  readonly #slots: Slots;
  readonly #trust: SharedTrust;
  /** Emptied by {@link release}; at most {@link concurrency}. */
  readonly #sessions = new Map<string, SvidSession>();
  #listener: UpdateListener = () => {};
  #check: { cancel(): void } | null = null;
  #wokenAt = -Infinity;
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
        this.#all((session) => session.trustChanged());
      },
      onProblem: (error) => {
        this.#trust.problem = error;
        this.#awaySince ??= options.clock.now();
      },
      onBack: () => this.#wakeAll(),
      onContainerStarted: (uid) =>
        this.#all((session) => session.subject.workloadUid === uid && session.containerStarted()),
    });
  }

  get awaySince(): number | null {
    return this.#awaySince;
  }

  /** Subjects that are followed. */
  get size(): number {
    return this.#sessions.size;
  }

  onUpdate(listener: UpdateListener): void {
    this.#listener = listener;
  }

  // deno-lint-ignore require-await -- so that every refusal is a rejection
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
    this.#all((session) => session.close(closedError()));
    this.#sessions.clear();
    this.#options.source.close();
  }

  #session(subject: CertificateSubject): SvidSession {
    const key = subjectKey(subject, this.keyedBy);
    const known = this.#sessions.get(key);
    if (known !== undefined) return known;
    if (this.#sessions.size >= this.concurrency) {
      const text = `SPIRE is asked about ${this.concurrency} identities already, which is the most one node may have`;
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
      update: (about, update) => this.#listener(about, update),
      onWorking: () => this.#works(),
      log,
    });
    this.#sessions.set(key, session);
    this.#watch();
    return session;
  }

  /** Without a bundle no peer can be verified: logged at once, whether or not a certificate is requested. */
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

  /** While there are sessions, they are checked from time to time. */
  #watch(): void {
    if (this.#check !== null) return;
    this.#check = this.#options.clock.after(CHECK, () => {
      this.#check = null;
      this.#all((session) => session.checkProcess());
      this.#probe();
      if (this.#sessions.size > 0) this.#watch();
    });
  }

  /**
   * An agent that refuses its delegate refuses all sessions, and their own pauses grow to minutes. So only the session
   * that has waited longest asks; when the agent answers it, all others ask too.
   */
  #probe(): void {
    let longest: SvidSession | null = null;
    for (const session of this.#sessions.values()) {
      if (!this.#isAboutAll(session)) continue;
      if (longest === null || session.askedAt < longest.askedAt) longest = session;
    }
    longest?.retryNow();
  }

  /** A stream of one session works, so the reason why others failed may have passed. */
  #works(): void {
    if (this.#options.clock.now() >= this.#wokenAt + WAKE_GAP) this.#wakeAll();
  }

  #wakeAll(): void {
    this.#wokenAt = this.#options.clock.now();
    this.#all((session) => this.#isAboutAll(session) && session.retryNow());
  }

  /** The session waits, for a reason that does not concern its own pod only. */
  #isAboutAll({ failure }: SvidSession): boolean {
    return failure !== null && !isTemporary(failure) && !this.#options.source.withdrawsOn.has(failure.code);
  }

  #all(tell: (session: SvidSession) => unknown): void {
    for (const session of [...this.#sessions.values()]) tell(session);
  }
}

function closedError(): CertificateError {
  return new CertificateError("the SPIRE client is closed", "CLOSED");
}
