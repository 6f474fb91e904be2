/**
 * One subject at the SPIRE agent: its stream, what came on it, and who waits for it.
 *
 *              request         slot, attestation, stream         message
 *     idle ─────────────▶ opening ────────────────────────────────────▶ open
 *                          ▲   │ failed                                  │ ended, failed
 *                          │   ▼                                         │
 *                         broken ◀───────────────────────────────────────╯
 *           request, pause over, agent is back
 *
 * From open it goes back to opening where the pod's process has ended, and to ask again where the agent has no SVID.
 * `close` leads from everywhere to closed. The certificate outlives the stream: it stays good until it expires, or
 * until it is certain that the subject has none (`absence.ts`). `docs/spec/identity-spire.md` 4.4, 4.8.
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
import { Absence } from "./absence.ts";
import { toCertificateError } from "./follow_stream.ts";
import { judgeMessage } from "./judge_message.ts";
import { certificateOf, type HeldSvid } from "./shared_trust.ts";
import type { SessionParts } from "./session_parts.ts";
import type { Svid } from "./svid.ts";
import type { Attestation, SvidMessage } from "./source.ts";

type Phase = "idle" | "opening" | "open" | "broken" | "closed";

/** O21: a new entry is announced by the old list, and 2 to 15 ms later by the new one. */
const SETTLE = 250;
/** A slot is for attestation. An agent that has to mint the SVID first must not stall the others. */
const SLOT_TIME = 1000;
/** Past this part of its life a certificate that nobody replaced is a sign that the stream may be dead. */
const LATE = 0.6;
const MIN_REOPEN = 5_000;
const MAX_REOPEN = 300_000;
/** A pod whose process cannot be found is looked up again within this time. */
const LONGEST_LOOK = 3_000;
/** A stream without any message is closed after this time, and opened again. */
const FIRST_MESSAGE = 60_000;

export class SvidSession {
  readonly subject: CertificateSubject;
  readonly #parts: SessionParts;
  readonly #waiters = new CertificateWaiters();
  #phase: Phase = "idle";
  #attempt = new AbortController();
  /** The attempt has its slot. */
  #asking = false;
  #attestation: Attestation | null = null;
  #held: HeldSvid | null = null;
  #issued: IssuedCertificate | null = null;
  /** Why there is no certificate, as far as the stream has said. */
  #absent: CertificateError | null = null;
  readonly #absence: Absence;
  /** The open stream has brought an SVID for the subject. */
  #proven = false;
  /** Index of the pod's process that is attested: 0 is the first. */
  #turn = 0;
  /** Why the last stream ended, while no other is open. */
  #failure: CertificateError | null = null;
  /** The last message that was of no use: the cause of a timeout. */
  #unusable: CertificateError | null = null;
  /** The manager has a certificate of ours. */
  #given = false;
  #failures = 0;
  #openedAt = -Infinity;
  #retry: Timer = null;
  #deadline: Timer = null;
  #settling: Timer = null;

  constructor(subject: CertificateSubject, parts: SessionParts) {
    this.subject = subject;
    this.#parts = parts;
    this.#absence = new Absence(parts.source.keyedBy === "workload");
  }

  /** Why the session waits for its next attempt; null: it does not wait. */
  get failure(): CertificateError | null {
    return this.#phase === "broken" ? this.#failure : null;
  }

  /** Time of the last attempt, ms since the epoch. */
  get askedAt(): number {
    return this.#openedAt;
  }

  /** The certificate, at once where it is held. Rejects with {@link CertificateError} or the reason of `signal`. */
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
    if (this.#phase === "idle" || this.#phase === "broken") this.#start();
    else if (this.#asking) this.#armDeadline();
    return waiting;
  }

  /** Bundles that hold for everybody have changed. */
  trustChanged(): void {
    if (this.#held !== null) this.#compose(this.#held);
  }

  /** There is a reason to believe that the agent works now: a waiting session tries again. */
  retryNow(): void {
    if (this.#phase === "broken") this.#start();
  }

  /** A container of the pod has started: an attestation that failed before may succeed now. */
  containerStarted(): void {
    if (this.#phase === "broken") this.#start();
    else if (this.#phase === "open" && this.#absence.lasts) this.#reopen();
  }

  /** Looks whether the process that was asked about is still the pod's; asks anew where it is not (O22). */
  checkProcess(): void {
    if (this.#phase === "open" && this.#attestation?.problem()) this.#reopen();
  }

  /** Ends the stream and drops the key. */
  close(error: CertificateError): void {
    this.#phase = "closed";
    this.#attempt.abort(error);
    for (const timer of [this.#retry, this.#deadline, this.#settling]) timer?.cancel();
    this.#held = this.#issued = null;
    this.#waiters.settle({ ok: false, error });
  }

  #start(): void {
    this.#retry?.cancel();
    this.#phase = "opening";
    this.#asking = this.#proven = false;
    this.#attestation = null;
    this.#attempt = new AbortController();
    this.#openedAt = this.#parts.clock.now();
    void this.#run(this.#attempt.signal);
  }

  #reopen(): void {
    this.#settling?.cancel();
    this.#attempt.abort();
    this.#start();
  }

  /** Nothing came in time to replace the certificate, and the last try is not too young. */
  #isLate(now: number): boolean {
    const svid = this.#held?.svid;
    if (svid === undefined) return false;
    const life = svid.notAfter - svid.notBefore;
    const pause = Math.min(Math.max(life / 10, MIN_REOPEN), MAX_REOPEN);
    return now >= svid.notBefore + life * LATE && now >= this.#openedAt + pause;
  }

  async #run(signal: AbortSignal): Promise<void> {
    try {
      const leave = await this.#parts.slots.enter(signal);
      const slot = this.#parts.clock.after(SLOT_TIME, leave);
      try {
        this.#asking = true;
        this.#armDeadline();
        const attestation = await this.#parts.source.attest(this.subject, this.#turn, signal);
        signal.throwIfAborted();
        this.#attestation = attestation;
        await this.#follow(attestation, signal, leave);
      } finally {
        slot.cancel();
        leave();
      }
    } catch (error) {
      // An aborted attempt was replaced or is not needed any more.
      if (signal.aborted) return;
      this.#attempt.abort();
      this.#broken(toCertificateError(error));
    }
  }

  /** `leave`: the slot, which is for the first message only. */
  async #follow(attestation: Attestation, signal: AbortSignal, leave: () => void): Promise<void> {
    const { clock, source } = this.#parts;
    const silence = clock.after(FIRST_MESSAGE, () => this.#giveUp(attestation));
    signal.addEventListener("abort", () => silence.cancel(), { once: true });
    const stream = await attestation.open(signal);
    for (;;) {
      const message = await stream.read();
      signal.throwIfAborted();
      silence.cancel();
      if (message === null) {
        throw new CertificateError(source.words.ended(attestation.asked), "UNAVAILABLE");
      }
      await this.#take(message, attestation, signal);
      signal.throwIfAborted();
      leave();
    }
  }

  async #take(message: SvidMessage | CertificateError, attestation: Attestation, signal: AbortSignal): Promise<void> {
    if (message instanceof CertificateError) return this.#cannotUse(message);
    const { clock, source } = this.#parts;
    this.#settling?.cancel();
    const held = this.#held?.svid ?? null;
    const { id } = this.subject;
    const judgement = judgeMessage(message, id, source.words, attestation.asked, held, clock.now());
    // Not yet while there is something to confirm: until then nothing is known about this process.
    if (judgement.kind === "new") await attestation.confirm(signal);
    if (judgement.kind === "new" && judgement.svid.notBefore > clock.now()) this.#fromTheFuture(judgement.svid);
    signal.throwIfAborted();
    const first = this.#phase !== "open";
    this.#phase = "open";
    this.#failures = 0;
    if (first) this.#parts.onWorking();
    switch (judgement.kind) {
      case "new":
      case "same":
        this.#proven = true;
        this.#absence.end();
        this.#retry?.cancel();
        return this.#compose({ ...message, svid: judgement.kind === "new" ? judgement.svid : held! });
      case "absent":
        this.#settling = clock.after(SETTLE, () => this.#missing(judgement.error));
        return;
      case "unusable":
        return this.#cannotUse(judgement.error);
      default:
        return judgement satisfies never;
    }
  }

  #compose({ svid, federatesWith, bundles }: HeldSvid): void {
    const { clock, trust, update } = this.#parts;
    this.#held = { svid, federatesWith, bundles };
    this.#absent = this.#unusable = null;
    const outcome = certificateOf(this.#held, trust, this.#issued, clock.now());
    if (outcome === null) return;
    if (outcome instanceof CertificateError) return this.#untrusted(outcome, this.#held.svid.key);
    const news = outcome !== this.#issued;
    this.#issued = outcome;
    if (this.#waiters.size > 0) this.#answer(outcome);
    else if (news) update(this.subject, outcome);
    this.#given = true;
  }

  /** No bundle verifies the SVID. One that was in use is withdrawn; an older one stays until the bundle has arrived. */
  #untrusted(error: CertificateError, key: Uint8Array): void {
    this.#unusable = error;
    if (this.#issued?.key === key) {
      this.#issued = null;
      this.#log("warn", error.message);
      if (this.#given) this.#parts.update(this.subject, error);
      this.#given = false;
    }
    this.#refuse(error);
  }

  /** The agent answered that it has no SVID for the subject. */
  #missing(error: CertificateError): void {
    if (this.#attestation?.more) {
      this.#turn++;
      return this.#reopen();
    }
    this.#turn = 0;
    const { clock, random } = this.#parts;
    const now = clock.now();
    const issued = this.#issued !== null && !isExpired(this.#issued, now) ? this.#issued : null;
    const { believed, lookIn } = this.#absence.heard(now, issued !== null, this.#proven, random());
    if (believed || issued === null) this.#withdraw(error);
    else if (this.#waiters.size > 0) this.#answer(issued);
    this.#retry?.cancel();
    if (lookIn === null) return;
    const again = this.#parts.source.keyedBy === "workload" ? () => this.#reopen() : () => this.#missing(error);
    this.#retry = clock.after(lookIn, again);
  }

  /** There is no certificate for the subject, whatever is held. */
  #withdraw(error: CertificateError): void {
    this.#held = this.#issued = null;
    const news = this.#waiters.size === 0 && this.#absent?.message !== error.message;
    this.#absent = error;
    // Before those who wait are told: to the manager a failed fetch alone is no reason to drop what it has.
    if (this.#given || news) this.#parts.update(this.subject, error);
    this.#given = false;
    this.#refuse(error);
  }

  #cannotUse(error: CertificateError): void {
    this.#unusable = error;
    this.#log("warn", `Error receiving SVID response: ${error.message}`);
    // An expired one does not get better by waiting for it. Others may: the next message is perhaps in order.
    if (error.code === "EXPIRED") this.#refuse(error);
  }

  #answer(certificate: IssuedCertificate): void {
    this.#disarmDeadline();
    this.#waiters.settle({ ok: true, certificate });
  }

  #refuse(error: CertificateError): void {
    this.#disarmDeadline();
    this.#waiters.settle({ ok: false, error });
  }

  #fromTheFuture({ notBefore }: Svid): void {
    const [from, ours] = [notBefore, this.#parts.clock.now()].map((time) => new Date(time).toISOString());
    this.#log("warn", `the SVID is valid from ${from} on, and the clock of this node says ${ours}: one is wrong`);
  }

  /** The agent has sent no message at all. */
  #giveUp({ asked }: Attestation): void {
    const { timedOut } = this.#parts.source.words;
    const error = new CertificateError(timedOut(this.#silence(), asked), "TIMEOUT");
    this.#log("warn", `${error.message}; the stream was silent for ${FIRST_MESSAGE / 1000} s and is opened again`);
    this.#attempt.abort();
    this.#broken(error);
  }

  #broken(error: CertificateError): void {
    const { clock, random, source } = this.#parts;
    const lived = this.#phase === "open" && clock.now() - this.#openedAt > MIN_REOPEN;
    this.#phase = "broken";
    this.#failure = error;
    this.#turn = 0;
    this.#settling?.cancel();
    this.#retry?.cancel();
    this.#absent = null;
    this.#absence.end();
    if (source.withdrawsOn.has(error.code)) this.#withdraw(error);
    else this.#refuse(error);
    this.#failures++;
    // What has worked for a while is worth another try at once.
    const pause = backoffDelay(this.#failures, random());
    const delay = lived ? 0 : isTemporary(error) ? Math.min(pause, LONGEST_LOOK) : pause;
    // Whoever asked is told; what all streams have in common, the source tells once.
    this.#log("debug", `the stream of certificates ended: ${error.message}; next try in ${delay / 1000} s`);
    this.#retry = clock.after(delay, () => this.#start());
  }

  /** Runs while somebody waits; from the moment the agent is asked on. */
  #armDeadline(): void {
    if (this.#deadline !== null || this.#waiters.size === 0) return;
    const { clock, timeout } = this.#parts;
    this.#deadline = clock.after(timeout, () => this.#refuse(this.#timeout()));
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
    const asked = this.#attestation?.asked ?? "the pod's process";
    return new CertificateError(this.#parts.source.words.timedOut(this.#silence(), asked), "TIMEOUT");
  }

  /** What has not come. */
  #silence(): string {
    const { trust } = this.#parts;
    if (this.#unusable !== null) return this.#unusable.message;
    if (this.#held === null) return "no SVID issued yet";
    if (this.#issued === null) return trust.problem?.message ?? `no trust bundle of ${trust.own} yet`;
    const until = new Date(this.#issued.notAfter).toISOString();
    return `no new SVID, and the last one is good until ${until}; can the agent reach its SPIRE server?`;
  }
}

type Timer = { cancel(): void } | null;
