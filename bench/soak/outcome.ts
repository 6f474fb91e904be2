/** What a soak run has measured. */
import type { Tally } from "./caller.ts";
import type { FigureId, Reading } from "./figures.ts";
import type { Point } from "./slope.ts";

/** A proxy of the run. */
export interface Measured {
  readonly name: string;
  /** Each collection of its garbage is a full one. */
  readonly fullCollections: boolean;
  /** CPU time divided by the time. */
  readonly cores: number;
  /** Before the load began and after it had ended. */
  readonly rest: { readonly before: Reading; readonly after: Reading };
  /** Number of log lines of level error, other than those about connections, and the first of them. */
  readonly errors: { readonly count: number; readonly lines: readonly string[] };
  /** The samples of a figure between two times, in seconds since the start, in the order of time. */
  points(figure: FigureId, from: number, to: number): Point[];
}

/** A run. */
export interface Outcome {
  readonly seconds: number;
  readonly proxies: readonly Measured[];
  /** By the name of the call. `mayFail`: failures are expected. */
  readonly calls: Readonly<Record<string, Tally & { readonly mayFail: boolean }>>;
}
