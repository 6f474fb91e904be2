/** A rule of a policy in words, without a connection. */
import { enumerated, valueText } from "./match_reasons.ts";
import type { Match, Rule } from "../model/model.ts";

/** Characters of a text. */
const LENGTH_MAX = 1000;

const NAMES: Readonly<Record<keyof Match, string>> = {
  namespaces: "namespace is",
  notNamespaces: "namespace is not",
  principals: "principal is",
  notPrincipals: "principal is not",
  serviceAccounts: "service account is",
  notServiceAccounts: "service account is not",
  sourceIps: "source is in",
  notSourceIps: "source is not in",
  destinationIps: "destination is in",
  notDestinationIps: "destination is not in",
  destinationPorts: "port is",
  notDestinationPorts: "port is not",
};

/** The conditions of a rule, such as `namespace is shop, port is 80 or 8080`. Long lists are shortened. */
export function ruleText(rule: Rule): string {
  const clauses = rule.filter((clause) => clause.length > 0);
  if (clauses.length === 0) return "it has no conditions";
  const texts = clauses.map((clause) => {
    const matches = clause.map(matchText).filter((text) => text !== "");
    if (matches.length === 0) return "never, as it has a condition without content";
    return matches.length === 1 ? matches[0]! : matches.map((text) => `(${text})`).join(" or ");
  });
  const text = texts.join("; and ");
  return text.length <= LENGTH_MAX ? text : `${text.slice(0, LENGTH_MAX)}…`;
}

function matchText(match: Match): string {
  const fields = Object.keys(NAMES) as (keyof Match)[];
  return fields.filter((field) => match[field].length > 0)
    .map((field) => `${NAMES[field]} ${enumerated(match[field].map(valueText), "").join(" or ")}`)
    .join(", ");
}
