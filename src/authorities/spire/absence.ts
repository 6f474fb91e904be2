/**
 * Decides how long new streams are opened for a subject without an SVID, and when a report that it has none is accepted
 * (`docs/spec/identity-spire.md` 4.8).
 *
 * The agent inspects a process once, when the stream is opened. If that is too early (the container has not yet executed
 * its program, or the kubelet does not list the container yet), it sends an empty list and does not repeat the
 * inspection. So, for a pod that is attested, new streams are opened until one has the SVID.
 *
 * A single empty list does not invalidate a valid certificate, as an agent that was attested again has no entries for
 * some seconds. The certificate is kept until a second stream is empty too, and for 15 s unless a stream has an SVID.
 */
import { backoffDelay } from "../../identity/backoff.ts";

/** ms for which an empty list on a new stream is not accepted while there is a valid certificate. */
const GRACE_PERIOD = 15_000;
/** ms: the longest pause between two attestations. Entries that are created meanwhile arrive by push. */
const LONGEST_PAUSE = 60_000;

/** What to do after a report that there is no SVID. */
interface AbsenceDecision {
  /** The report is accepted: a certificate must not be used any more. */
  readonly isAccepted: boolean;
  /** ms until the next attestation; null: none is needed, as the open stream reports changes. */
  readonly retryIn: number | null;
}

/** Counts the reports that a subject has no SVID. */
export class Absence {
  readonly #attested: boolean;
  /** The time, of {@link report}, from which on reports are accepted although there is a valid certificate. */
  #acceptAt = 0;
  #reports = 0;

  /** `attested`: the agent inspects the pod, so a new stream may have another result. */
  constructor(attested: boolean) {
    this.#attested = attested;
  }

  /** True where the last message had no SVID for the subject. */
  get isReported(): boolean {
    return this.#reports > 0;
  }

  /** A message has an SVID for the subject, or the stream has failed. */
  clear(): void {
    this.#reports = 0;
  }

  /**
   * A stream has no SVID for the subject. `now`: ms from an arbitrary moment. `isValid`: there is a valid certificate. `hadSvid`:
   * this stream has sent an SVID before. `random`: uniform in [0, 1).
   */
  report(now: number, isValid: boolean, hadSvid: boolean, random: number): AbsenceDecision {
    const first = this.#reports++ === 0;
    if (first) this.#acceptAt = hadSvid ? now : now + GRACE_PERIOD;
    // A withdrawal on an open stream is accepted at once, unless a second attestation is possible.
    const isAccepted = !isValid || now >= this.#acceptAt && !(first && this.#attested);
    if (!this.#attested) return { isAccepted, retryIn: isAccepted ? null : this.#acceptAt - now };
    const pause = Math.min(backoffDelay(this.#reports, random), LONGEST_PAUSE);
    return { isAccepted, retryIn: first && isValid && hadSvid ? 0 : pause };
  }
}
