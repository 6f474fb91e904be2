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
  /** What the rule was applied to, where there are many: the uid of an endpoint, the key of a policy. */
  readonly subject?: string;
  /** The rule is a condition: did it hold? */
  readonly holds?: boolean;
  /** This rule settled the outcome. */
  readonly decides?: true;
  /** Finer grounds, each in words. */
  readonly details?: readonly string[];
  /** The rule drew one number: from what. In the order in which the number runs through their weights. */
  readonly options?: readonly Option[];
}

/** One of several that chance chooses among. */
export interface Option {
  readonly name: string;
  /** Its chance is this in proportion to the sum of all. */
  readonly weight: number;
}

/** An address as people write it: with its network where that is not the default one. */
export function placeText(network: string, ip: string): string {
  return network === "" ? ip : `${network}/${ip}`;
}

/** Collects reasons, or null: do not. */
export type Trace = Reason[] | null;

const NONE: readonly Reason[] = Object.freeze([]);

/** The list for an outcome; empty when nothing was traced. */
export function reasonsOf(trace: Trace): readonly Reason[] {
  return trace ?? NONE;
}
