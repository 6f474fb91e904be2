/**
 * Why a decision came out as it did: a list of steps that people read and programs filter.
 *
 * The code that decides takes a {@link Trace}, which is null on the data path. It writes `trace?.push({ … })`: with
 * null the arguments are not evaluated, so one code path both decides and explains, and explaining costs nothing there.
 */

/** One step of a decision. */
export interface Reason {
  /** Stable name of the rule that was applied, `outbound.service-waypoint`. */
  readonly rule: string;
  /** The rule's outcome here, in words. */
  readonly text: string;
  /** What the rule was applied to, where there are many: the uid of an endpoint, the key of a policy. */
  readonly subject?: string;
  /** Where the rule is a condition: whether it held. */
  readonly holds?: boolean;
  /** This rule settled the outcome. */
  readonly decides?: true;
  /** Details, each in words. */
  readonly details?: readonly string[];
  /** Where the rule drew a random number: what it chose among, in the order in which the weights are summed. */
  readonly options?: readonly Option[];
}

/** One of several outcomes of a random choice. */
export interface Option {
  readonly name: string;
  /** The chance is this weight divided by the sum of all weights. */
  readonly weight: number;
}

/** An address in text, with its network unless that is the default one. */
export function placeText(network: string, ip: string): string {
  return network === "" ? ip : `${network}/${ip}`;
}

/** Collects reasons. Null: no reasons are collected. */
export type Trace = Reason[] | null;

const NONE: readonly Reason[] = Object.freeze([]);

/** The reasons for an outcome; empty where nothing was traced. */
export function reasonsOf(trace: Trace): readonly Reason[] {
  return trace ?? NONE;
}
