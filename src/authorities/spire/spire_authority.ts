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
  type UpdateListener,
} from "../../identity/authority.ts";
import type { WallClock } from "../../identity/certificate_manager.ts";
import type { WriteLine } from "../../identity/manager_events.ts";
import type { TrustDomain } from "../../identity/spiffe_id.ts";
import { subjectKey } from "../../identity/subject_key.ts";
import { NO_BUNDLES, type TrustBundles } from "../../identity/trust_bundles.ts";
import { trustOf } from "./bundles.ts";
import type { SharedTrust } from "./shared_trust.ts";
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
/** How often processes are looked at. */
const CHECK = 5_000;

export class SpireAuthority implements CertificateAuthority {
  readonly keyedBy: "identity" | "workload";
  readonly concurrency: number;
  readonly #options: SpireAuthorityOptions;
  /** Fulfilled with the first bundles: the agent is there and talks to us. */
  readonly connected: Promise<void>;
  readonly #slots: Slots;
  readonly #trust: SharedTrust;
  /** Emptied by {@link release}; at most {@link concurrency}. */
  readonly #sessions = new Map<string, SvidSession>();
  #listener: UpdateListener = () => {};
  #check: { cancel(): void } | null = null;
  #closed = false;

  constructor(options: SpireAuthorityOptions) {
    this.#options = options;
    this.keyedBy = options.source.keyedBy;
    this.concurrency = options.maxSubjects ?? MAX_SUBJECTS;
    this.#slots = new Slots(options.concurrency);
    this.#trust = { own: options.trustDomain, bundles: null, problem: null };
    const connected = Promise.withResolvers<void>();
    this.connected = connected.promise;
    options.source.start({
      onBundles: (bundles) => {
        connected.resolve();
        Object.assign(this.#trust, { bundles, problem: null });
        this.#all((session) => session.trustChanged());
      },
      onProblem: (error) => this.#trust.problem = error,
      onBack: () => this.#all((session) => session.retryNow()),
    });
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
      log,
    });
    this.#sessions.set(key, session);
    this.#watch();
    return session;
  }

  /** While there are sessions, their processes are looked at from time to time. */
  #watch(): void {
    if (this.#check !== null || this.keyedBy !== "workload") return;
    this.#check = this.#options.clock.after(CHECK, () => {
      this.#check = null;
      this.#all((session) => session.checkProcess());
      if (this.#sessions.size > 0) this.#watch();
    });
  }

  #all(tell: (session: SvidSession) => void): void {
    for (const session of [...this.#sessions.values()]) tell(session);
  }
}

function closedError(): CertificateError {
  return new CertificateError("the SPIRE client is closed", "CLOSED");
}
