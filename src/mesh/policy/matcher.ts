/**
 * A policy compiled for matching: CIDR blocks become numbers, exact texts become sets (`docs/spec/xds-state.md` 5.5,
 * 5.6).
 */
import { type Cidr, CidrRange, type IpBits } from "../model/cidr.ts";
import type { Clause, Match, Policy, PolicyKey, ServiceAccountMatch, StringMatch } from "../model/model.ts";
import type { Millis } from "../../net/clock.ts";
import type { ConnectionFacts } from "./connection_facts.ts";
import { decisionId, revisionOf } from "./decision_id.ts";

/** Compares one property of a connection with one list of a match. */
type Test = (facts: ConnectionFacts) => boolean;

/** A match as tests, all of which must hold. */
interface CompiledMatch {
  readonly match: Match;
  readonly tests: readonly Test[];
  /** The list of the match that each test is made from. */
  readonly fields: readonly MatchField[];
}
type CompiledClause = readonly CompiledMatch[] | "always";

/** The name of a list of a match, such as `notPrincipals`. */
export type MatchField = keyof Match;

/** The outcome of one rule. */
export interface RuleFinding {
  readonly holds: boolean;
  /**
   * The lists that decided it. A rule that holds: those that were met. One that does not: for each match of the first
   * clause that fails, the first list that was not met.
   */
  readonly lists: readonly { readonly match: Match; readonly field: MatchField }[];
}

/** The decision of one rule of a policy. */
export interface RuleDecision {
  readonly policy: PolicyKey;
  /** Index of the rule. */
  readonly rule: number;
  /** `decision_id.ts` */
  readonly id: string;
}

/** One version of a policy with its compiled rules. */
export class CompiledPolicy {
  readonly key: PolicyKey;
  readonly policy: Policy;
  /** When this version arrived. */
  readonly receivedAt: Millis;
  /** Null before the first use: most policies of a mesh are about workloads of other nodes. */
  #compiled: readonly (readonly CompiledClause[])[] | null = null;
  /** Null before the first use, as above. */
  #revision: string | null = null;
  /** By rule, those that have decided; null: none has. */
  #decisions: RuleDecision[] | null = null;

  constructor(key: PolicyKey, policy: Policy, receivedAt: Millis = 0) {
    this.key = key;
    this.policy = policy;
    this.receivedAt = receivedAt;
  }

  /** Names the content; the same for the same content everywhere. */
  get revision(): string {
    return this.#revision ??= revisionOf(this.key, this.policy);
  }

  /** Whether this version has decided about a connection. */
  get hasDecided(): boolean {
    return this.#decisions !== null;
  }

  /** The decisions that were made by a rule of this version. */
  get decisions(): readonly RuleDecision[] {
    return this.#decisions?.filter((decision) => decision !== undefined) ?? [];
  }

  /** The decision of a rule that {@link matchingRule} has returned. The same object for each call. */
  decisionOf(rule: number): RuleDecision {
    const decisions = this.#decisions ??= [];
    return decisions[rule] ??= { policy: this.key, rule, id: decisionId(this.revision, rule) };
  }

  /** Whether some rule holds. A policy without rules never matches. */
  matches(facts: ConnectionFacts): boolean {
    return this.matchingRule(facts) >= 0;
  }

  /** The index of the first rule that holds; -1: none does. */
  matchingRule(facts: ConnectionFacts): number {
    const rules = this.#rules;
    for (let i = 0; i < rules.length; i++) {
      if (allClausesHold(rules[i]!, facts)) return i;
    }
    return -1;
  }

  /** The outcome of every rule, for explanations. */
  findings(facts: ConnectionFacts): readonly RuleFinding[] {
    return this.#rules.map((rule) => findingOf(rule, facts));
  }

  get #rules(): readonly (readonly CompiledClause[])[] {
    return this.#compiled ??= this.policy.rules.map((rule) => rule.map(compileClause));
  }
}

function findingOf(rule: readonly CompiledClause[], facts: ConnectionFacts): RuleFinding {
  const met: RuleFinding["lists"][number][] = [];
  for (const clause of rule) {
    if (clause === "always") continue;
    const holding = clause.find((match) => allTestsHold(match, facts));
    if (holding === undefined) return { holds: false, lists: clause.map((match) => firstUnmet(match, facts)) };
    met.push(...holding.fields.map((field) => ({ match: holding.match, field })));
  }
  return { holds: true, lists: met };
}

function firstUnmet({ match, tests, fields }: CompiledMatch, facts: ConnectionFacts) {
  return { match, field: fields[tests.findIndex((test) => !test(facts))]! };
}

function allClausesHold(rule: readonly CompiledClause[], facts: ConnectionFacts): boolean {
  for (const clause of rule) {
    if (clause !== "always" && !someMatchHolds(clause, facts)) return false;
  }
  return true;
}

function someMatchHolds(clause: readonly CompiledMatch[], facts: ConnectionFacts): boolean {
  for (const match of clause) {
    if (allTestsHold(match, facts)) return true;
  }
  return false;
}

function allTestsHold({ tests }: CompiledMatch, facts: ConnectionFacts): boolean {
  for (const test of tests) {
    if (!test(facts)) return false;
  }
  return true;
}

/** A clause without matches always holds; one whose matches are all empty never does. */
function compileClause(clause: Clause): CompiledClause {
  if (clause.length === 0) return "always";
  return clause.map(compileMatch).filter(({ tests }) => tests.length > 0);
}

function compileMatch(match: Match): CompiledMatch {
  const tests: Test[] = [];
  const fields: MatchField[] = [];
  const add = (field: MatchField, test: Test) => {
    tests.push(test);
    fields.push(field);
  };
  const field = <F extends MatchField>(positive: F, negative: F, compile: (values: Match[F]) => Test | null) => {
    const [wanted, excluded] = [compile(match[positive]), compile(match[negative])];
    if (wanted !== null) add(positive, wanted);
    if (excluded !== null) add(negative, (facts) => !excluded(facts));
  };
  // Cheap tests come first. The order does not change the outcome.
  field("destinationPorts", "notDestinationPorts", ports);
  field("principals", "notPrincipals", principals);
  field("namespaces", "notNamespaces", namespaces);
  field("serviceAccounts", "notServiceAccounts", serviceAccounts);
  field("sourceIps", "notSourceIps", (values) => ranges(values, (facts) => facts.source));
  field("destinationIps", "notDestinationIps", (values) => ranges(values, (facts) => facts.destination));
  return { match, tests, fields };
}

function ports(values: readonly number[]): Test | null {
  if (values.length === 0) return null;
  const set = new Set(values);
  return (facts) => set.has(facts.port);
}

function principals(values: readonly StringMatch[]): Test | null {
  const test = strings(values);
  // Without an identity no value matches, presence included.
  return test === null ? null : (facts) => facts.principal !== null && test(facts.principal);
}

function namespaces(values: readonly StringMatch[]): Test | null {
  const test = strings(values);
  return test === null ? null : (facts) => test(facts.namespace);
}

function serviceAccounts(values: readonly ServiceAccountMatch[]): Test | null {
  if (values.length === 0) return null;
  const set = new Set(values.map((value) => `${value.namespace}/${value.serviceAccount}`));
  return (facts) => facts.serviceAccount !== null && set.has(facts.serviceAccount);
}

function ranges(values: readonly Cidr[], pick: (facts: ConnectionFacts) => IpBits): Test | null {
  if (values.length === 0) return null;
  const blocks = values.map((value) => new CidrRange(value));
  return (facts) => {
    const ip = pick(facts);
    for (const block of blocks) if (block.contains(ip)) return true;
    return false;
  };
}

/** A test that holds when any value matches; null where there are no values (`docs/spec/xds-state.md` X255 to X259). */
export function strings(values: readonly StringMatch[]): ((text: string) => boolean) | null {
  if (values.length === 0) return null;
  const exact = new Set<string>();
  const others: ((text: string) => boolean)[] = [];
  for (const match of values) {
    switch (match.kind) {
      case "Exact":
        exact.add(match.value);
        break;
      case "Prefix":
        others.push((text) => text.startsWith(match.value));
        break;
      case "Suffix":
        others.push((text) => text.endsWith(match.value));
        break;
      case "Presence":
        others.push((text) => text !== "");
        break;
      default:
        match satisfies never;
    }
  }
  return (text) => {
    if (exact.has(text)) return true;
    for (const other of others) if (other(text)) return true;
    return false;
  };
}
