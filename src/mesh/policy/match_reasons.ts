/** Says in words why a policy matches a connection or does not. */
import type { ConnectionFacts } from "./connection_facts.ts";
import type { Match, ServiceAccountMatch, StringMatch } from "../model/model.ts";
import type { CompiledPolicy, MatchField, RuleFinding } from "./matcher.ts";
import type { Reason } from "../model/reasons.ts";

/** Up to so many values of a list and rules of a policy are written out; the others are counted. */
const MAX_LISTED = 8;
/** Shown for a peer without an identity. */
const NONE = "(none)";

/**
 * The reason for the outcome of one policy. `matches`: the outcome, as the deciding code found it; the details explain
 * it.
 */
export function policyReason(compiled: CompiledPolicy, facts: ConnectionFacts, matches: boolean): Reason {
  const { key, policy } = compiled;
  const text = `${policy.dryRun ? "dry-run " : ""}${policy.action} ${key} ${matches ? "matches" : "does not match"}`;
  const details = detailsOf(compiled.findings(facts), facts, matches);
  return { rule: "authorize.policy", subject: key, text, holds: matches, details };
}

function detailsOf(findings: readonly RuleFinding[], facts: ConnectionFacts, matches: boolean): string[] {
  if (findings.length === 0) return ["it has no rules"];
  const lines = findings.map((finding, i) => ({ finding, text: `rule ${i + 1}: ${ruleText(finding, facts)}` }));
  if (matches) return lines.filter(({ finding }) => finding.holds).slice(0, 1).map(({ text }) => text);
  return enumerated(lines.map(({ text }) => text), "rules that do not hold");
}

function ruleText({ holds, lists }: RuleFinding, facts: ConnectionFacts): string {
  const texts = lists.map(({ match, field }) => listText(match, field, facts, holds));
  if (texts.length === 0) {
    return holds ? "it has no conditions" : "it has a condition without content, which never holds";
  }
  return texts.join(holds ? ", " : "; and ");
}

function listText(match: Match, field: MatchField, facts: ConnectionFacts, met: boolean): string {
  const values = enumerated(match[field].map(valueText), "").join(", ");
  const excluding = field.startsWith("not");
  const among = excluding === met ? "is not among" : "is among";
  return `${factText(field, facts)} ${among} ${excluding ? "the excluded " : ""}${values}`;
}

function factText(field: MatchField, facts: ConnectionFacts): string {
  switch (field) {
    case "namespaces":
    case "notNamespaces":
      return `namespace ${facts.namespace || NONE}`;
    case "principals":
    case "notPrincipals":
      return `principal ${facts.principal ?? NONE}`;
    case "serviceAccounts":
    case "notServiceAccounts":
      return `service account ${facts.serviceAccount ?? NONE}`;
    case "sourceIps":
    case "notSourceIps":
      return `source ${facts.sourceIp}`;
    case "destinationIps":
    case "notDestinationIps":
      return `destination ${facts.destinationIp}`;
    case "destinationPorts":
    case "notDestinationPorts":
      return `port ${facts.port}`;
    default:
      return field satisfies never;
  }
}

/** A value of a list in words. */
export function valueText(value: StringMatch | ServiceAccountMatch | string | number): string {
  if (typeof value !== "object") return String(value);
  if ("serviceAccount" in value) return `${value.namespace}/${value.serviceAccount}`;
  switch (value.kind) {
    case "Exact":
      return value.value;
    case "Prefix":
      return `${value.value}*`;
    case "Suffix":
      return `*${value.value}`;
    case "Presence":
      return "* (any)";
    default:
      return value satisfies never;
  }
}

/** The first texts, then how many more there are. */
export function enumerated(texts: readonly string[], noun: string): string[] {
  if (texts.length <= MAX_LISTED) return [...texts];
  return [...texts.slice(0, MAX_LISTED), `${texts.length - MAX_LISTED} more ${noun}`.trimEnd()];
}
