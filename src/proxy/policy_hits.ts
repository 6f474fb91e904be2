/** Counts which policies have decided about calls. A call that no policy concerns is not counted. */
import type { PolicyKey } from "../mesh/model/model.ts";
import type { Decision, Verdict } from "../mesh/policy/authorize.ts";

/** How often a decision was made. */
export interface PolicyHit {
  /** `namespace/name`; null: no allow policy matched. */
  readonly policy: PolicyKey | null;
  readonly decision: Decision;
  count: number;
}

/** Rows; decisions of further policies are not counted. */
const ROWS_MAX = 10_000;

/** The counts of one isolate, since its start. */
export class PolicyHits {
  readonly #rows = new Map<PolicyKey | null, PolicyHit[]>();
  #size = 0;

  add({ policy, decision, allow }: Pick<Verdict, "policy" | "decision" | "allow">): void {
    if (policy === null && allow) return;
    const rows = this.#rows.get(policy);
    const row = rows?.find((one) => one.decision === decision);
    if (row !== undefined) row.count++;
    else if (this.#size < ROWS_MAX) {
      this.#size++;
      const added = { policy, decision, count: 1 };
      if (rows === undefined) this.#rows.set(policy, [added]);
      else rows.push(added);
    }
  }

  /** The rows as they are now. */
  rows(): readonly PolicyHit[] {
    return [...this.#rows.values()].flat();
  }
}
