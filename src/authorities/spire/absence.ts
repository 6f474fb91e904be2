/**
 * How long an agent is asked again that has no SVID for a subject, and when it is believed
 * (`docs/spec/identity-spire.md` 4.8).
 *
 * The agent looks at a process once, when the stream is opened. If it looks too early, it answers an empty list and
 * never looks again: the container has not yet executed its program, or the kubelet does not list the container yet. So
 * a pod that is attested is asked about on a new stream until it has its SVID.
 *
 * A certificate that is held is worth more than one empty list: an agent that has just been attested anew has no entries
 * for some seconds. It is kept until a second stream says the same, and for 15 s where no stream since has brought it.
 */
import { backoffDelay } from "../../identity/backoff.ts";

/** ms for which a new stream that brings no SVID is not believed while a valid certificate is held. */
const YOUNG = 15_000;
/** ms: the longest pause between two looks. Entries that are created meanwhile arrive by push. */
const LONGEST_PAUSE = 60_000;

export interface Finding {
  /** There is no SVID for the subject: a certificate that is held must not be used any more. */
  readonly believed: boolean;
  /** ms after which to look again; null: the open stream will tell. */
  readonly lookIn: number | null;
}

export class Absence {
  readonly #attested: boolean;
  /** ms since the epoch from which on empty lists are believed though a certificate is held. */
  #believeAt = 0;
  #looks = 0;

  /** `attested`: the agent looks at the pod, so that a new stream may be answered in another way. */
  constructor(attested: boolean) {
    this.#attested = attested;
  }

  /** The last word was that there is no SVID. */
  get lasts(): boolean {
    return this.#looks > 0;
  }

  /** There is an SVID. */
  end(): void {
    this.#looks = 0;
  }

  /**
   * A stream has no SVID for the subject. `now`: ms since the epoch. `held`: there is a valid certificate. `proven`:
   * the stream that says so has brought one before. `random`: uniform in [0, 1).
   */
  heard(now: number, held: boolean, proven: boolean, random: number): Finding {
    const first = this.#looks++ === 0;
    if (first) this.#believeAt = proven ? now : now + YOUNG;
    // What an open stream takes back holds at once, unless a second look is possible.
    const believed = !held || now >= this.#believeAt && !(first && this.#attested);
    if (!this.#attested) return { believed, lookIn: believed ? null : this.#believeAt - now };
    const pause = Math.min(backoffDelay(this.#looks, random), LONGEST_PAUSE);
    return { believed, lookIn: first && held && proven ? 0 : pause };
  }
}
