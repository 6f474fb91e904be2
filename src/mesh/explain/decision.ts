/** What the id of a decision stands for, and how often it was made: `ztunnel explain ID` and `/decisions`. */
import type { Millis } from "../../net/clock.ts";
import { type PolicyKey } from "../model/model.ts";
import type { DecisionCounts } from "../policy/decision_counts.ts";
import { decisionId, parseDecisionId } from "../policy/decision_id.ts";
import type { CompiledPolicy } from "../policy/matcher.ts";
import type { RetiredDecision } from "../policy/retired_policies.ts";
import { ruleText } from "../policy/rule_text.ts";
import type { MeshState } from "../state/state.ts";
import { fixedDecision } from "./fixed_decisions.ts";

/** One decision, as plain data. Times are ISO 8601, UTC. */
export interface DecisionRow {
  readonly id: string;
  /** What it stands for, in one sentence. */
  readonly text: string;
  /** The policy whose rule decides; null: none. */
  readonly policy: DecidingPolicy | null;
  /** How often it was made since the start. */
  readonly count: number;
}

/** One version of a policy, and one of its rules. */
interface DecidingPolicy {
  readonly key: PolicyKey;
  readonly action: "Allow" | "Deny";
  readonly scope: "Global" | "Namespace" | "WorkloadSelector";
  readonly dryRun: boolean;
  /** Number of the rule, from 1. */
  readonly rule: number;
  readonly conditions: string;
  /** Names the content of this version. */
  readonly revision: string;
  /** Null: not known, as in a dump. */
  readonly received: string | null;
  /** Null: it is in force. */
  readonly removed: string | null;
}

/** What rows are made from. */
interface DecisionSources {
  readonly state: MeshState;
  readonly counts: DecisionCounts;
  /** The time as ISO 8601; null: not known. */
  date(at: Millis): string | null;
}

/**
 * The rows of the decisions that were made, or with `id` those of this decision, also where it was not made. Null: a
 * policy that is of no interest, so that the caller can pause in between.
 */
export function* decisionRows(
  sources: DecisionSources,
  id: string | null,
): Generator<DecisionRow | null, void, undefined> {
  const { state, counts } = sources;
  const found = new Set<string>();
  const asked = id === null ? null : parseDecisionId(id);
  for (const policy of id !== null && asked === null ? [] : state.policies()) {
    const rules = asked === null ? policy.decisions.map(({ rule }) => rule) : ruleOf(policy, asked);
    for (const rule of rules) {
      const row = rowOfRule(sources, policy, rule);
      found.add(row.id);
      yield row;
    }
    yield null;
  }
  for (const retired of state.retiredPolicies.values()) {
    if (!found.has(retired.id) && (id === null || id === retired.id)) yield rowOfRetired(sources, retired);
  }
  for (const each of id === null ? counts.ids() : [id]) {
    const text = fixedDecision(each);
    if (text !== null) yield { id: each, text, policy: null, count: counts.of(each) };
  }
}

function ruleOf(policy: CompiledPolicy, { revision, rule }: { revision: string; rule: number }): readonly number[] {
  return rule < policy.policy.rules.length && policy.revision === revision ? [rule] : [];
}

function rowOfRule({ counts, date }: DecisionSources, version: CompiledPolicy, rule: number): DecisionRow {
  const { key, policy: { scope, action, dryRun, rules }, revision, receivedAt } = version;
  const conditions = ruleText(rules[rule]!);
  return row(counts, decisionId(revision, rule), {
    key,
    action,
    scope,
    dryRun,
    rule: rule + 1,
    conditions,
    revision,
    received: date(receivedAt),
    removed: null,
  });
}

function rowOfRetired({ counts, date }: DecisionSources, retired: RetiredDecision): DecisionRow {
  const { id, key, scope, action, dryRun, rule, text: conditions, revision, receivedAt, removedAt } = retired;
  return row(counts, id, {
    key,
    action,
    scope,
    dryRun,
    rule: rule + 1,
    conditions,
    revision,
    received: date(receivedAt),
    removed: date(removedAt),
  });
}

function row(counts: DecisionCounts, id: string, policy: DecidingPolicy): DecisionRow {
  const { action, dryRun, rule, key } = policy;
  const verb = action === "Allow" ? "allow" : "refuse";
  const text = `${dryRun ? `would ${verb}` : `${verb}${action === "Allow" ? "ed" : "d"}`} by rule ${rule} of ${
    dryRun ? "the dry-run policy" : "policy"
  } ${key}`;
  return { id, text, policy, count: counts.of(id) };
}

/** Rows of several isolates: one for each id, with the sum of the counts and the earliest arrival. */
export function sumDecisions(rows: Iterable<DecisionRow>): DecisionRow[] {
  const sums = new Map<string, DecisionRow>();
  for (const row of rows) {
    const sum = sums.get(row.id);
    sums.set(row.id, sum === undefined ? row : merged(sum, row));
  }
  return [...sums.values()].sort((a, b) => b.count - a.count);
}

function merged(a: DecisionRow, b: DecisionRow): DecisionRow {
  const count = a.count + b.count;
  if (a.policy === null || b.policy === null) return { ...a, count };
  const inForce = a.policy.removed === null ? a.policy : b.policy;
  const received = [a.policy.received, b.policy.received].filter((time) => time !== null).sort()[0] ?? null;
  return { ...a, count, policy: { ...inForce, received } };
}
