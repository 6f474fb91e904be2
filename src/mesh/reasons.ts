/**
 * Why a choice came out as it did: a list of steps that a person can read and a program can filter.
 *
 * The code that decides takes a {@link Trace}, null on the data path. It writes `trace?.push({ … })`: with null the
 * arguments are not even evaluated, so explaining and deciding are the same code and explaining costs nothing.
 */

export interface Reason {
  /** Stable name of the rule that was applied, `outbound.service-waypoint`. */
  readonly rule: string;
  /** The rule's outcome here, in words. */
  readonly text: string;
}

/** Collects reasons, or null: do not. */
export type Trace = Reason[] | null;

const NONE: readonly Reason[] = Object.freeze([]);

/** The list for an outcome; empty when nothing was traced. */
export function reasonsOf(trace: Trace): readonly Reason[] {
  return trace ?? NONE;
}

/** The reasons as lines of text, for logs and command line tools. */
export function formatReasons(reasons: readonly Reason[]): string {
  return reasons.map((reason) => `${reason.rule}: ${reason.text}`).join("\n");
}
