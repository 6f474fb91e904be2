/**
 * One subject: its stream to the SPIRE agent, the SVID that it has received, and the callers that wait for it.
 *
 *              request         slot, attestation, stream         message
 *     idle ─────────────▶ opening ────────────────────────────────────▶ open
 *                          ▲   │ failed                                  │ ended, failed
 *                          │   ▼                                         │
 *                         failed ◀───────────────────────────────────────╯
 *           request, delay over, agent recovered
 *
 * An open session goes back to opening when the pod's process has ended, and to request again an SVID that the agent did
 * not have. `close` leads from every phase to closed. The certificate stays valid after the end of the stream, until it
 * expires or the subject certainly has no SVID (`absence.ts`; `docs/spec/identity-spire.md` 4.4, 4.8).
 */
import {
  CertificateError,
  type CertificateSubject,
  type IssuedCertificate,
  isTemporary,
} from "../../identity/authority.ts";
import { backoffDelay } from "../../identity/backoff.ts";
import { CertificateWaiters } from "../../identity/certificate_waiters.ts";
import { isExpired } from "../../identity/renewal.ts";
import type { Timer } from "../../net/clock.ts";
import { Absence } from "./absence.ts";
import { toCertificateError } from "./follow_stream.ts";
import { interpretMessage } from "./interpret_message.ts";
import { certificateOf, type HeldSvid } from "./shared_trust.ts";
import type { SessionParts } from "./session_parts.ts";
import type { Svid } from "./svid.ts";
import type { Attestation, SvidMessage } from "./source.ts";

type Phase = "idle" | "opening" | "open" | "failed" | "closed";

/** ms. After a new entry the agent sends the old list first, and the new one 2 to 15 ms later (observed.md O21). */
const ABSENCE_DELAY = 250;
/** ms. A slot limits attestations; an agent that has to mint the SVID first must not delay other sessions. */
const SLOT_TIME = 1000;
/** Share of the lifetime after which a certificate that was not replaced suggests that the stream is dead. */
const LATE = 0.6;
const MIN_REOPEN = 5_000;
const MAX_REOPEN = 300_000;
/** The longest delay, in ms, before a process that was not found is looked up again. */
const MAX_LOOKUP_DELAY = 3_000;
/** ms after which a stream without a message is closed and opened again. */
const FIRST_MESSAGE = 60_000;

/** The session of one subject. See the picture above. */
export class SvidSession {
  readonly subject: CertificateSubject;
  readonly #parts: SessionParts;
  readonly #waiters = new CertificateWaiters();
  #phase: Phase = "idle";
  #attempt = new AbortController();
  /** The attempt has its slot. */
  #hasSlot = false;
  #attestation: Attestation | null = null;
  #held: HeldSvid | null = null;
  #issued: IssuedCertificate | null = null;
  /** The accepted report of the stream that the subject has no SVID. */
  #absent: CertificateError | null = null;
  readonly #absence: Absence;
  /** The open stream has sent an SVID for the subject. */
  #hadSvid = false;
  /** The index of the pod's process that is attested. */
  #turn = 0;
  /** Why the last stream failed. */
  #failure: CertificateError | null = null;
  /** The problem of the last message that could not be used, for the text of a timeout. */
  #unusable: CertificateError | null = null;
  /** The manager has received a certificate of this session. */
  #hasPublished = false;
  #failures = 0;
  #openedAt = -Infinity;
  #retry: Timer | null = null;
  #deadline: Timer | null = null;
  /** Delays the report of an absent SVID. */
  #absenceDelay: Timer | null = null;

  constructor(subject: CertificateSubject, parts: SessionParts) {
    this.subject = subject;
    this.#parts = parts;
    this.#absence = new Absence(parts.source.keyedBy === "workload");
  }

  /** Why the session waits for its next attempt; null: it does not wait. */
  get failure(): CertificateError | null {
    return this.#phase === "failed" ? this.#failure : null;
  }

  /** When the last attempt began, by {@link WallClock.elapsed}. */
  get attemptedAt(): number {
    return this.#openedAt;
  }

  /** Returns the certificate or waits for it. Rejects with {@link CertificateError} or the reason of `signal`. */
  request(signal: AbortSignal): Promise<IssuedCertificate> {
    if (signal.aborted) return Promise.reject(signal.reason);
    const now = this.#parts.clock.now();
    const issued = this.#issued !== null && !isExpired(this.#issued, now) ? this.#issued : null;
    if (this.#phase === "open") {
      if (this.#isLate(now)) this.#reopen();
      else if (issued !== null) return Promise.resolve(issued);
      else if (this.#absent !== null) return Promise.reject(this.#absent);
    }
    const waiting = this.#waiters.add(signal);
    if (this.#phase === "idle" || this.#phase === "failed") this.#start();
    else if (this.#hasSlot) this.#armDeadline();
    return waiting;
  }

  /** The shared bundles have changed. */
  trustChanged(): void {
    if (this.#held !== null) this.#compose(this.#held);
  }

  /** Retries at once if the session waits for its next attempt. */
  retryNow(): void {
    if (this.#phase === "failed") this.#start();
  }

  /** A container of the pod has started: an attestation that failed before may succeed now. */
  containerStarted(): void {
    if (this.#phase === "failed") this.#start();
    else if (this.#phase === "open" && this.#absence.isReported) this.#reopen();
  }

  /** Opens a new stream where the attested process is not the pod's any more (observed.md O22). */
  checkProcess(): void {
    if (this.#phase === "open" && this.#attestation?.problem()) this.#reopen();
  }

  /** Ends the stream and drops the key. */
  close(error: CertificateError): void {
    this.#phase = "closed";
    this.#attempt.abort(error);
    for (const timer of [this.#retry, this.#deadline, this.#absenceDelay]) timer?.cancel();
    this.#held = this.#issued = null;
    this.#waiters.settle({ ok: false, error });
  }

  #start(): void {
    this.#retry?.cancel();
    this.#phase = "opening";
    this.#hasSlot = this.#hadSvid = false;
    this.#attestation = null;
    this.#attempt = new AbortController();
    this.#openedAt = this.#parts.clock.elapsed();
    void this.#run(this.#attempt.signal);
  }

  #reopen(): void {
    this.#absenceDelay?.cancel();
    this.#attempt.abort();
    this.#start();
  }

  /** Returns whether the certificate should have been replaced, and the stream is old enough to be reopened. */
  #isLate(now: number): boolean {
    const svid = this.#held?.svid;
    if (svid === undefined) return false;
    const life = svid.notAfter - svid.notBefore;
    const pause = Math.min(Math.max(life / 10, MIN_REOPEN), MAX_REOPEN);
    return now >= svid.notBefore + life * LATE && this.#parts.clock.elapsed() >= this.#openedAt + pause;
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      const release = await this.#parts.slots.acquire(signal);
      const slot = this.#parts.clock.after(SLOT_TIME, release);
      try {
        this.#hasSlot = true;
        this.#armDeadline();
        const attestation = await this.#parts.source.attest(this.subject, this.#turn, signal);
        signal.throwIfAborted();
        this.#attestation = attestation;
        await this.#follow(attestation, signal, release);
      } finally {
        slot.cancel();
        release();
      }
    } catch (error) {
      // An aborted attempt was replaced or is not needed any more.
      if (signal.aborted) return;
      this.#attempt.abort();
      this.#fail(toCertificateError(error));
    }
  }

  /** Reads the stream. `release`: of the slot, called after the first message. */
  async #follow(attestation: Attestation, signal: AbortSignal, release: () => void): Promise<void> {
    const { clock, source } = this.#parts;
    const silence = clock.after(FIRST_MESSAGE, () => this.#closeSilentStream(attestation));
    signal.addEventListener("abort", () => silence.cancel(), { once: true });
    const stream = await attestation.open(signal);
    for (;;) {
      const message = await stream.read();
      signal.throwIfAborted();
      silence.cancel();
      if (message === null) {
        throw new CertificateError(source.words.ended(attestation.target), "UNAVAILABLE");
      }
      await this.#process(message, attestation, signal);
      signal.throwIfAborted();
      release();
    }
  }

  async #process(
    message: SvidMessage | CertificateError,
    attestation: Attestation,
    signal: AbortSignal,
  ): Promise<void> {
    if (message instanceof CertificateError) return this.#ignore(message);
    const { clock, source } = this.#parts;
    this.#absenceDelay?.cancel();
    const held = this.#held?.svid ?? null;
    const { id } = this.subject;
    const meaning = interpretMessage(message, id, source.words, attestation.target, held, clock.now());
    // The phase changes only after the confirmation, as the SVID may be that of another process.
    if (meaning.kind === "new") await attestation.confirm(signal);
    if (meaning.kind === "new" && meaning.svid.notBefore > clock.now()) this.#warnNotYetValid(meaning.svid);
    signal.throwIfAborted();
    const first = this.#phase !== "open";
    this.#phase = "open";
    this.#failures = 0;
    if (first) this.#parts.onWorking();
    switch (meaning.kind) {
      case "new":
      case "same":
        this.#hadSvid = true;
        this.#absence.clear();
        this.#retry?.cancel();
        return this.#compose({ ...message, svid: meaning.kind === "new" ? meaning.svid : held! });
      case "absent":
        this.#absenceDelay = clock.after(ABSENCE_DELAY, () => this.#handleAbsence(meaning.error));
        return;
      case "unusable":
        return this.#ignore(meaning.error);
      default:
        return meaning satisfies never;
    }
  }

  #compose({ svid, federatesWith, bundles }: HeldSvid): void {
    const { clock, trust, update } = this.#parts;
    this.#held = { svid, federatesWith, bundles };
    this.#absent = this.#unusable = null;
    const outcome = certificateOf(this.#held, trust, this.#issued, clock.now());
    if (outcome === null) return;
    if (outcome instanceof CertificateError) return this.#untrusted(outcome, this.#held.svid.key);
    const isNew = outcome !== this.#issued;
    this.#issued = outcome;
    if (this.#waiters.size > 0) this.#resolve(outcome);
    else if (isNew) update(this.subject, outcome);
    this.#hasPublished = true;
  }

  /** No bundle verifies the SVID. If it is in use, it is withdrawn; an earlier one stays in use. */
  #untrusted(error: CertificateError, key: Uint8Array): void {
    this.#unusable = error;
    if (this.#issued?.key === key) {
      this.#issued = null;
      this.#log("warn", error.message);
      if (this.#hasPublished) this.#parts.update(this.subject, error);
      this.#hasPublished = false;
    }
    this.#reject(error);
  }

  /** The agent has no SVID for the subject. */
  #handleAbsence(error: CertificateError): void {
    if (this.#attestation?.more) {
      this.#turn++;
      return this.#reopen();
    }
    this.#turn = 0;
    const { clock, random } = this.#parts;
    const issued = this.#issued !== null && !isExpired(this.#issued, clock.now()) ? this.#issued : null;
    const { isAccepted, retryIn } = this.#absence.report(clock.elapsed(), issued !== null, this.#hadSvid, random());
    if (isAccepted || issued === null) this.#withdraw(error);
    else if (this.#waiters.size > 0) this.#resolve(issued);
    this.#retry?.cancel();
    if (retryIn === null) return;
    const again = this.#parts.source.keyedBy === "workload" ? () => this.#reopen() : () => this.#handleAbsence(error);
    this.#retry = clock.after(retryIn, again);
  }

  /** Drops the certificate and reports that the subject has none. */
  #withdraw(error: CertificateError): void {
    this.#held = this.#issued = null;
    const isNew = this.#waiters.size === 0 && this.#absent?.message !== error.message;
    this.#absent = error;
    // The update comes first, as the manager keeps its certificate after a failed fetch alone.
    if (this.#hasPublished || isNew) this.#parts.update(this.subject, error);
    this.#hasPublished = false;
    this.#reject(error);
  }

  #ignore(error: CertificateError): void {
    this.#unusable = error;
    this.#log("warn", `Error receiving SVID response: ${error.message}`);
    // Waiting does not help with an expired SVID. After other problems the next message may be valid.
    if (error.code === "EXPIRED") this.#reject(error);
  }

  #resolve(certificate: IssuedCertificate): void {
    this.#disarmDeadline();
    this.#waiters.settle({ ok: true, certificate });
  }

  #reject(error: CertificateError): void {
    this.#disarmDeadline();
    this.#waiters.settle({ ok: false, error });
  }

  #warnNotYetValid({ notBefore }: Svid): void {
    const [from, ours] = [notBefore, this.#parts.clock.now()].map((time) => new Date(time).toISOString());
    this.#log("warn", `the SVID is valid from ${from} on, and the clock of this node says ${ours}: one is wrong`);
  }

  /** The agent has sent no message on this stream. */
  #closeSilentStream({ target }: Attestation): void {
    const { timedOut } = this.#parts.source.words;
    const error = new CertificateError(timedOut(this.#missingPart(), target), "TIMEOUT");
    this.#log("warn", `${error.message}; the stream was silent for ${FIRST_MESSAGE / 1000} s and is opened again`);
    this.#attempt.abort();
    this.#fail(error);
  }

  #fail(error: CertificateError): void {
    const { clock, random, source } = this.#parts;
    const wasStable = this.#phase === "open" && clock.elapsed() - this.#openedAt > MIN_REOPEN;
    this.#phase = "failed";
    this.#failure = error;
    this.#turn = 0;
    this.#absenceDelay?.cancel();
    this.#retry?.cancel();
    this.#absent = null;
    this.#absence.clear();
    if (source.withdrawsOn.has(error.code)) this.#withdraw(error);
    else this.#reject(error);
    this.#failures++;
    // A stream that has worked for a while is reopened at once.
    const pause = backoffDelay(this.#failures, random());
    const delay = wasStable ? 0 : isTemporary(error) ? Math.min(pause, MAX_LOOKUP_DELAY) : pause;
    // Level debug, as waiting callers get the error and failures of all streams are logged by the source.
    this.#log("debug", `the stream of certificates ended: ${error.message}; next try in ${delay / 1000} s`);
    this.#retry = clock.after(delay, () => this.#start());
  }

  /** Starts the deadline of waiting callers, when the attempt has its slot. */
  #armDeadline(): void {
    if (this.#deadline !== null || this.#waiters.size === 0) return;
    const { clock, timeout } = this.#parts;
    this.#deadline = clock.after(timeout, () => this.#reject(this.#timeout()));
  }

  #disarmDeadline(): void {
    this.#deadline?.cancel();
    this.#deadline = null;
  }

  #log(level: "debug" | "warn", text: string): void {
    this.#parts.log(level, text, { id: this.subject.id });
  }

  #timeout(): CertificateError {
    if (this.#absent !== null) return this.#absent;
    const target = this.#attestation?.target ?? "the pod's process";
    return new CertificateError(this.#parts.source.words.timedOut(this.#missingPart(), target), "TIMEOUT");
  }

  /** Describes what has not arrived. */
  #missingPart(): string {
    const { trust } = this.#parts;
    if (this.#unusable !== null) return this.#unusable.message;
    if (this.#held === null) return "no SVID issued yet";
    if (this.#issued === null) return trust.problem?.message ?? `no trust bundle of ${trust.own} yet`;
    const until = new Date(this.#issued.notAfter).toISOString();
    return `no new SVID, and the last one is good until ${until}; can the agent reach its SPIRE server?`;
  }
}
