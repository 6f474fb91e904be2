/** An explanation as text for a terminal. Each line about a rule ends with the name of the rule. */
import type {
  Admission,
  Explanation,
  Hop,
  HopRoute,
  Onward,
  PolicyFinding,
  Way,
  WorkloadSummary,
} from "../mesh/explain/explanation.ts";
import type { Reason } from "../mesh/model/reasons.ts";

/** Lines of one level of indentation. */
const STEP = "  ";

export function explanationText(explanation: Explanation): string {
  const { from, fromAddress, to, outlook, summary, ways } = explanation;
  return [
    `${from === null ? fromAddress : nameOf(from)} -> ${to.asked}`,
    `${outlook === "depends" ? "DEPENDS" : outlook.toUpperCase()}: ${summary}`,
    "",
    ...partyLines("from", from, fromAddress),
    `to    ${to.address}`,
    ...indented(3, to.because.map(reasonLine)),
    ...indented(3, explanation.unready.map((uid) => `not ready, so no endpoint: ${uid}`)),
    ...(ways.length > 1 ? ["", ...chanceLines(explanation)] : []),
    ...tellingWays(ways).flatMap((way) => wayLines(way, ways)),
  ].join("\n") + "\n";
}

function partyLines(label: string, party: WorkloadSummary | null, address: string): string[] {
  if (party === null) return [`${label}  ${address}, no workload of the mesh`];
  const node = party.node === "" ? "" : ` on ${party.node}`;
  const identity = party.protocol === "TCP" ? "without a proxy" : party.identity ?? "without a valid identity";
  return [`${label}  ${nameOf(party)} at ${address}${node}`, `      ${identity}`];
}

function chanceLines({ ways, more }: Explanation): string[] {
  return [
    `Chance chooses one of ${ways.length + more} ways:`,
    ...indented(1, ways.map((way) => `${percent(way.chance)}  ${way.outlook.padEnd(7)}  ${destinationText(way)}`)),
    ...indented(1, more === 0 ? [] : [`${more} more were not followed`]),
  ];
}

/** The first route in full, and the first route of each other outcome. */
function tellingWays(ways: readonly Way[]): Way[] {
  const told = new Set<string>();
  return ways.filter((way) => {
    const kind = `${way.outlook} ${way.hop.outcome.kind} ${way.hop.admission?.policy} ${way.hop.admission?.decision}`;
    return !told.has(kind) && told.add(kind);
  });
}

function wayLines(way: Way, ways: readonly Way[]): string[] {
  const title = ways.length === 1 ? [] : ["", `If it is ${destinationText(way)} (${percent(way.chance).trim()}):`];
  return [...title, ...hopLines(way.hop), ...(way.onward === null ? [] : onwardLines(way.onward))];
}

function hopLines(hop: Hop): string[] {
  return [
    "",
    `${DECIDERS[hop.by]}:`,
    ...indented(2, hop.because.map(reasonLine)),
    ...indented(1, outcomeLines(hop)),
    ...admissionLines(hop),
  ];
}

const DECIDERS = { proxy: "The client's proxy", client: "The client", waypoint: "The waypoint" } as const;

function outcomeLines({ outcome }: Hop): string[] {
  if (outcome.kind === "refusal") return [`=> refused: ${outcome.message}  [${outcome.code}]`];
  const tunnel = outcome.authority === null ? "" : `, CONNECT ${outcome.authority}`;
  return [`=> ${outcome.protocol} to ${outcome.dial}${tunnel}`, ...indented(2, identityLines(outcome))];
}

function identityLines({ shows, expects, expectsBehind, protocol }: HopRoute): string[] {
  if (protocol === "TCP") return [];
  const list = (label: string, ids: readonly string[]) =>
    ids.map((id, i) => `${i === 0 ? label : " or".padEnd(label.length)} ${id}`);
  return [
    `presents        ${shows}`,
    ...list("accepts there  ", expects),
    ...list("and behind it  ", expectsBehind),
  ];
}

function admissionLines({ admission }: Hop): string[] {
  if (admission === null) return [];
  const { at, notEnforced, because, policies } = admission;
  if (notEnforced !== null) return ["", `At ${nameOf(at)}: ${notEnforced}`];
  return [
    "",
    `The proxy of ${nameOf(at)}:`,
    ...indented(2, because.map(reasonLine)),
    ...indented(2, policies.length === 0 ? ["no policy applies to it"] : policies.flatMap(policyLines)),
    ...indented(1, [verdictLine(admission)]),
  ];
}

function verdictLine({ allow, message, decision, decisionId, policy, application }: Admission): string {
  const by = policy === null ? `${decision}` : `${decision}: ${policy}`;
  const text = allow ? `=> allowed (${by}), to the application at ${application}` : `=> refused: ${message}`;
  return decisionId === null ? text : `${text}  [${decisionId}]`;
}

function policyLines({ key, action, scope, dryRun, result, decides, details }: PolicyFinding): string[] {
  const kind = action === null ? "policy" : `${dryRun ? "dry-run " : ""}${action.toUpperCase()}`;
  const reach = scope === null ? "" : ` (${SCOPES[scope]}${originText(key)})`;
  const trial = dryRun && result === "matches" ? `, and would ${action?.toLowerCase()} if it were enforced` : "";
  return [
    `${decides ? ">" : " "} ${kind} ${key}${reach}: ${RESULTS[result]}${trial}`,
    ...indented(2, result === "not-asked" ? [] : details),
  ];
}

/** The object from which istiod made a policy that no object has the name of (`docs/spec/xds-state.md` 5.8). */
function originText(key: string): string {
  const [namespace, name = ""] = key.split("/", 2);
  const [, converted] = /^converted_peer_authentication_(.+)$/.exec(name) ?? [];
  if (converted !== undefined) return `, from PeerAuthentication ${namespace}/${converted}`;
  if (name === "istio_converted_static_strict") return ", from a PeerAuthentication that is STRICT";
  return name.startsWith("istio_allow_waypoint_") ? ", made for the waypoint" : "";
}

const SCOPES = { Global: "whole mesh", Namespace: "whole namespace", WorkloadSelector: "by selector" } as const;
const RESULTS = {
  "matches": "matches",
  "does-not-match": "does not match",
  "not-asked": "not asked, others had decided",
  "unknown": "is not known",
} as const;

function onwardLines({ text, hops, more }: Onward): string[] {
  const first = hops.find(({ admission }) => admission?.allow === false) ?? hops[0];
  return [
    "",
    `Then the waypoint: ${text}`,
    ...indented(2, hops.map((hop) => `${refusal(hop) === null ? "allowed" : "refused"}  ${hopText(hop)}`)),
    ...indented(2, more === 0 ? [] : [`${more} more were not followed`]),
    ...(first === undefined ? [] : hopLines(first)),
  ];
}

function refusal({ outcome, admission }: Hop): string | null {
  return outcome.kind === "refusal" ? outcome.message : admission?.message ?? null;
}

function destinationText({ hop }: Way): string {
  return hopText(hop);
}

function hopText({ outcome }: Hop): string {
  if (outcome.kind === "refusal") return outcome.message;
  const who = outcome.destination === null ? "an address outside" : nameOf(outcome.destination);
  return `${who} at ${outcome.dial}`;
}

function reasonLine({ rule, text, decides }: Reason): string {
  return `${decides === true ? ">" : " "} ${text}  [${rule}]`;
}

function percent(chance: number): string {
  const value = chance * 100;
  return `${value >= 1 || value === 0 ? Math.round(value) : value.toPrecision(1)} %`.padStart(5);
}

function nameOf({ namespace, name, uid }: WorkloadSummary): string {
  return name === "" ? uid : `${namespace}/${name}`;
}

function indented(levels: number, lines: readonly string[]): string[] {
  return lines.map((line) => STEP.repeat(levels) + line);
}
