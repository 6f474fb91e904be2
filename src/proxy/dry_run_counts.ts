/** Counts what policies in dry run would have decided, by policy, result and caller. */
import type { Call, DryRun } from "../mesh/policy/authorize.ts";

/** How often one caller had one result of one policy. */
export interface DryRunCount {
  /** `namespace/name`; null: no allow policy in dry run would have matched. */
  readonly policy: string | null;
  readonly result: DryRun["text"];
  /** The identity of the caller, or the address of one without; null: callers beyond the bound, together. */
  readonly caller: string | null;
  count: number;
}

/** Rows; further callers of a policy are counted together. */
const ROWS_MAX = 1000;

/** The counts of one isolate, since its start. */
export class DryRunCounts {
  readonly #rows = new Map<string, DryRunCount>();

  add({ policy, text }: DryRun, { identity, source }: Pick<Call, "identity" | "source">): void {
    const caller = identity ?? source.ip;
    const row = this.#row(policy, text, caller) ?? this.#row(policy, text, null);
    if (row !== null) row.count++;
  }

  /** The rows as they are now. */
  rows(): readonly DryRunCount[] {
    return [...this.#rows.values()];
  }

  /** Null: there is no room for a new row. The mesh bounds how many rows are without a caller. */
  #row(policy: string | null, result: DryRun["text"], caller: string | null): DryRunCount | null {
    const key = `${policy}\n${result}\n${caller}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      if (this.#rows.size >= ROWS_MAX * (caller === null ? 2 : 1)) return null;
      this.#rows.set(key, row = { policy, result, caller, count: 0 });
    }
    return row;
  }
}
