/**
 * Decides how long an agent that has no SVID for a subject is asked again, and when its answer is accepted
 * (`docs/spec/identity-spire.md` 4.8).
 *
 * The agent inspects a process once, when the stream is opened. If that is too early, it answers with an empty list and
 * never repeats the inspection: the container has not yet executed its program, or the kubelet does not list the
 * container yet. So, for a pod that is attested, new streams are opened until one brings the SVID.
 *
 * A valid certificate outweighs one empty list: an agent that has just been attested anew has no entries for some
 * seconds. The certificate is kept until a second stream is empty too, and for 15 s unless a stream brings one.
 */
import { backoffDelay } from "../../identity/backoff.ts";

/** ms for which an empty list on a new stream is not accepted while a valid certificate is held. */
const YOUNG = 15_000;
/** ms: the longest pause between two attestations. Entries that are created meanwhile arrive by push. */
const LONGEST_PAUSE = 60_000;

export interface Finding {
  /** There is no SVID for the subject: a certificate that is held must not be used any more. */
  readonly believed: boolean;
  /** ms until the next attestation; null: the open stream will bring any change. */
  readonly lookIn: number | null;
}

export class Absence {
  readonly #attested: boolean;
  /** ms since the epoch from which on empty lists are accepted although a certificate is held. */
  #believeAt = 0;
  #looks = 0;

  /** `attested`: the agent inspects the pod, so a new stream may get another answer. */
  constructor(attested: boolean) {
    this.#attested = attested;
  }

  /** The last answer was that there is no SVID. */
  get lasts(): boolean {
    return this.#looks > 0;
  }

  /** There is an SVID. */
  end(): void {
    this.#looks = 0;
  }

  /**
   * Called when a stream has no SVID for the subject. `now`: ms since the epoch. `held`: there is a valid certificate.
   * `proven`: this stream has brought an SVID before. `random`: uniform in [0, 1).
   */
  heard(now: number, held: boolean, proven: boolean, random: number): Finding {
    const first = this.#looks++ === 0;
    if (first) this.#believeAt = proven ? now : now + YOUNG;
    // A withdrawal on an open stream counts at once, unless a second attestation is possible.
    const believed = !held || now >= this.#believeAt && !(first && this.#attested);
    if (!this.#attested) return { believed, lookIn: believed ? null : this.#believeAt - now };
    const pause = Math.min(backoffDelay(this.#looks, random), LONGEST_PAUSE);
    return { believed, lookIn: first && held && proven ? 0 : pause };
  }
}
