/**
 * Explores all random outcomes of a decision: the decision is made repeatedly, each time with random numbers that lead
 * to another outcome. It is the same decision that connections get.
 */
import type { Random } from "../state/endpoint_pool.ts";
import type { Option, Reason, Trace } from "../model/reasons.ts";

/** One outcome of the decision. */
interface DrawnWay<T> {
  readonly outcome: T;
  /** Probability, 0 to 1. */
  readonly chance: number;
  /** Empty, except for the first way and those that led to choices of their own. */
  readonly because: readonly Reason[];
}

/** The outcomes of a decision. */
export interface DrawnWays<T> {
  readonly ways: readonly DrawnWay<T>[];
  /** Ways that were not followed. */
  readonly more: number;
}

/** Explores up to `max` ways. `decide` must draw one number per reason with options, in their order. */
export function waysOf<T>(decide: (random: Random, trace: Trace) => T, max: number): DrawnWays<T> {
  const explorer = new Explorer(decide, max);
  explorer.explore([], 1, true);
  return { ways: explorer.ways, more: explorer.more };
}

/** Options listed in a reason at most; the others are summed. */
const MAX_OPTIONS_LISTED = 100;

class Explorer<T> {
  readonly ways: DrawnWay<T>[] = [];
  more = 0;
  readonly #decide: (random: Random, trace: Trace) => T;
  readonly #max: number;

  constructor(decide: (random: Random, trace: Trace) => T, max: number) {
    this.#decide = decide;
    this.#max = max;
  }

  /** `script`: the numbers to draw, then zeros, which take the first option of each choice. */
  explore(script: readonly number[], chance: number, traced: boolean): void {
    if (this.ways.length >= this.#max) {
      this.more++;
      return;
    }
    const trace: Reason[] | null = traced ? [] : null;
    let draws = 0;
    const outcome = this.#decide(() => script[draws++] ?? 0, trace);
    // There are choices after the scripted ones, so the reasons are needed to explore them.
    if (trace === null && draws > script.length) return this.explore(script, chance, true);
    const choices = trace === null ? [] : trace.flatMap(({ options }) => options === undefined ? [] : [options]);
    const open = choices.slice(script.length);
    const first = open.reduce((all, each) => all * firstShare(each), chance);
    this.ways.push({ outcome, chance: first, because: (trace ?? []).map(shortened) });
    for (const [depth, options] of open.entries()) {
      const before = [...script, ...new Array<number>(depth).fill(0)];
      const reach = open.slice(0, depth).reduce((all, each) => all * firstShare(each), chance);
      for (const { point, share } of others(options)) this.explore([...before, point], reach * share, false);
    }
  }
}

/** The reason with its options limited to {@link MAX_OPTIONS_LISTED}. */
function shortened(reason: Reason): Reason {
  const { options } = reason;
  if (options === undefined || options.length <= MAX_OPTIONS_LISTED) return reason;
  const rest = options.slice(MAX_OPTIONS_LISTED);
  const others = { name: `${rest.length} others`, weight: sum(rest) };
  return { ...reason, options: [...options.slice(0, MAX_OPTIONS_LISTED), others] };
}

function firstShare(options: readonly Option[]): number {
  return (options.find(({ weight }) => weight > 0)?.weight ?? 0) / sum(options);
}

/** All options but the first with a weight, each with a number that draws it. */
function others(options: readonly Option[]): { point: number; share: number }[] {
  const total = sum(options);
  let before = 0;
  return options.flatMap(({ weight }) => {
    const point = (before + weight / 2) / total;
    const first = before === 0;
    before += weight;
    return weight === 0 || first ? [] : [{ point, share: weight / total }];
  });
}

function sum(options: readonly Option[]): number {
  return options.reduce((total, { weight }) => total + weight, 0);
}
