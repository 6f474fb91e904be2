/**
 * Short ids of decisions by policies. `k3vq7m2xa4bd.2` is rule 2 of one version of one policy. The id depends on the
 * policy's name and content only, so it is the same on every node, in every isolate, and after a restart.
 */
import { sha256 } from "../../identity/sha256.ts";
import type { Match, Policy, PolicyKey, ServiceAccountMatch, StringMatch } from "../model/model.ts";

/** Digits of RFC 4648 §6, in lower case. */
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
/** 60 bits. */
const DIGITS = 12;
const ID = /^([a-z2-7]{12})\.([1-9][0-9]{0,5})$/;

/** The revision of a policy: 12 characters that name its content. Takes some microseconds: to be called once. */
export function revisionOf(key: PolicyKey, policy: Policy): string {
  const digest = sha256(new TextEncoder().encode(JSON.stringify(contentOf(key, policy))));
  let text = "", bits = 0, value = 0;
  for (const byte of digest) {
    value = (value << 8 | byte) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) text += BASE32[value >> bits - 5 & 31];
    if (text.length >= DIGITS) break;
  }
  return text.slice(0, DIGITS);
}

/** The id of a rule. `rule`: its index, from 0. */
export function decisionId(revision: string, rule: number): string {
  return `${revision}.${rule + 1}`;
}

/** The parts of an id, with the rule's index from 0; null: this is no id of a policy's rule. */
export function parseDecisionId(id: string): { readonly revision: string; readonly rule: number } | null {
  const [, revision, rule] = ID.exec(id) ?? [];
  return revision === undefined ? null : { revision, rule: Number(rule) - 1 };
}

/** Arrays in a fixed order, so that the revision does not depend on the order of fields in memory. */
function contentOf(key: PolicyKey, { name, namespace, scope, action, dryRun, rules }: Policy): unknown {
  return [key, name, namespace, scope, action, dryRun, rules.map((rule) => rule.map((clause) => clause.map(matchOf)))];
}

function matchOf(match: Match): unknown {
  return [
    match.namespaces.map(textOf),
    match.notNamespaces.map(textOf),
    match.principals.map(textOf),
    match.notPrincipals.map(textOf),
    match.serviceAccounts.map(accountOf),
    match.notServiceAccounts.map(accountOf),
    match.sourceIps,
    match.notSourceIps,
    match.destinationIps,
    match.notDestinationIps,
    match.destinationPorts,
    match.notDestinationPorts,
  ];
}

function textOf(match: StringMatch): unknown {
  return match.kind === "Presence" ? [match.kind] : [match.kind, match.value];
}

function accountOf({ namespace, serviceAccount }: ServiceAccountMatch): unknown {
  return [namespace, serviceAccount];
}
