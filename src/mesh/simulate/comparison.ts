/** Compares the decisions about a connection before and after the changes, by the code that decides about real ones. */
import { authorize, type Call, type UnknownPolicies, type Verdict } from "../policy/authorize.ts";
import type { PolicySource } from "../policy/store.ts";
import type { Reason } from "../model/reasons.ts";
import type { Change, Finding } from "./result.ts";
import type { TwoMeshes } from "./apply_changes.ts";

/** Details of a decision that are listed. */
const DETAILS_MAX = 4;

/** A decision that changes. */
export type Difference = Pick<Change, "change" | "before" | "after">;

/** Compares calls. */
export class Comparison {
  readonly #before: PolicySource;
  readonly #after: PolicySource;
  readonly #unknownPolicies: UnknownPolicies;

  constructor({ before, after, selection }: TwoMeshes, unknownPolicies: UnknownPolicies) {
    this.#before = { policiesFor: (workload) => before.forWorkload(workload) };
    this.#after = { policiesFor: (workload) => after.forWorkload(selection.after(workload)) };
    this.#unknownPolicies = unknownPolicies;
  }

  /** Null: the decision stays the same. */
  compare(call: Call): Difference | null {
    const { allow } = authorize(this.#before, call, this.#unknownPolicies);
    if (authorize(this.#after, call, this.#unknownPolicies).allow === allow) return null;
    return {
      change: allow ? "refused" : "allowed",
      before: this.#finding(this.#before, call),
      after: this.#finding(this.#after, call),
    };
  }

  #finding(policies: PolicySource, call: Call): Finding {
    const verdict = authorize(policies, call, this.#unknownPolicies, []);
    const details = detailsOf(verdict);
    const { allow, decision, policy, id } = verdict;
    return { allow, text: decision, policy, id, details };
  }
}

/** The rule that decides. Where none does, why the allow policies do not match. */
function detailsOf({ policy, because }: Verdict): string[] {
  const of = ({ rule, subject, text }: Reason) =>
    rule === "authorize.policy" && !text.startsWith("dry-run ") &&
    (policy === null ? text.startsWith("Allow ") : subject === policy);
  const lines = because.filter(of).flatMap(({ text, details = [] }) =>
    policy === null ? [`${text}: ${details.join("; ")}`] : details
  );
  return lines.length <= DETAILS_MAX ? lines : [...lines.slice(0, DETAILS_MAX), `${lines.length - DETAILS_MAX} more`];
}
