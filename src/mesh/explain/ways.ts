/**
 * All that chance can make of a decision: it is made again and again, each time with the numbers drawn that lead
 * another way. The decision itself is the one that connections get.
 */
import type { Random } from "../state/endpoint_pool.ts";
import type { Option, Reason, Trace } from "../model/reasons.ts";

export interface DrawnWay<T> {
  readonly outcome: T;
  /** 0 to 1. */
  readonly chance: number;
  /** Empty but for the first way and those that opened choices of their own. */
  readonly because: readonly Reason[];
}

export interface DrawnWays<T> {
  readonly ways: readonly DrawnWay<T>[];
  /** Ways that were not followed. */
  readonly more: number;
}

/** Follows up to `max` ways. `decide` draws one number for each reason with options, in their order. */
export function waysOf<T>(decide: (random: Random, trace: Trace) => T, max: number): DrawnWays<T> {
  const explorer = new Explorer(decide, max);
  explorer.explore([], 1, true);
  return { ways: explorer.ways, more: explorer.more };
}

const OPTIONS_TOLD = 100;

class Explorer<T> {
  readonly ways: DrawnWay<T>[] = [];
  more = 0;
  readonly #decide: (random: Random, trace: Trace) => T;
  readonly #max: number;

  constructor(decide: (random: Random, trace: Trace) => T, max: number) {
    this.#decide = decide;
    this.#max = max;
  }

  /** `script`: the numbers to draw; behind them come zeros, which take each choice's first option. */
  explore(script: readonly number[], chance: number, traced: boolean): void {
    if (this.ways.length >= this.#max) {
      this.more++;
      return;
    }
    const trace: Reason[] | null = traced ? [] : null;
    let draws = 0;
    const outcome = this.#decide(() => script[draws++] ?? 0, trace);
    // It came upon choices that nobody has seen yet.
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

/** Beyond what is followed, options are counted. */
function shortened(reason: Reason): Reason {
  const { options } = reason;
  if (options === undefined || options.length <= OPTIONS_TOLD) return reason;
  const rest = options.slice(OPTIONS_TOLD);
  const others = { name: `${rest.length} others`, weight: sum(rest) };
  return { ...reason, options: [...options.slice(0, OPTIONS_TOLD), others] };
}

function firstShare(options: readonly Option[]): number {
  return (options.find(({ weight }) => weight > 0)?.weight ?? 0) / sum(options);
}

/** All but the first that can be drawn, each with a number that draws it. */
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
