/**
 * Decisions by versions of policies that were replaced or removed: what their ids stood for. Bounded; the oldest are
 * removed first.
 */
import type { Millis } from "../../net/clock.ts";
import type { CompiledPolicy } from "./matcher.ts";
import type { Policy, PolicyKey } from "../model/model.ts";
import { ruleText } from "./rule_text.ts";

/** Decisions that are kept. */
const MOST = 1000;

/** A decision of a version that is no longer in force. */
export interface RetiredDecision extends Pick<Policy, "scope" | "action" | "dryRun"> {
  readonly id: string;
  readonly key: PolicyKey;
  /** Index of the rule. */
  readonly rule: number;
  /** The rule in words, bounded in length. */
  readonly text: string;
  readonly revision: string;
  readonly receivedAt: Millis;
  readonly removedAt: Millis;
}

/** The last decisions of that kind. */
export class RetiredPolicies {
  readonly #byId = new Map<string, RetiredDecision>();

  /** A version is no longer in force. Nothing is kept of one that has not decided. */
  add(version: CompiledPolicy, removedAt: Millis): void {
    const { key, policy, receivedAt } = version;
    const { scope, action, dryRun } = policy;
    for (const { id, rule } of version.decisions) {
      this.#byId.delete(id);
      const text = ruleText(policy.rules[rule]!);
      const { revision } = version;
      this.#byId.set(id, { id, key, scope, action, dryRun, rule, text, revision, receivedAt, removedAt });
      if (this.#byId.size > MOST) { for (const oldest of this.#byId.keys()) return void this.#byId.delete(oldest); }
    }
  }

  get(id: string): RetiredDecision | null {
    return this.#byId.get(id) ?? null;
  }

  values(): Iterable<RetiredDecision> {
    return this.#byId.values();
  }
}
