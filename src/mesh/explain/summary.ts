/** The summary of an explanation in one sentence. */
import type { Admission, Hop, HopRoute, Outlook, Way } from "./explanation.ts";

/** The common outlook of several ways. Without any way the connection is refused. */
export function outlookOf(outlooks: readonly Outlook[]): Outlook {
  const [first = "refused", ...others] = outlooks;
  return others.every((each) => each === first) ? first : "depends";
}

/** One sentence, without a full stop. */
export function summaryOf(ways: readonly Way[]): string {
  const [first, ...others] = ways;
  if (first === undefined) return "there is no way";
  if (others.length === 0) return textOf(first);
  const refused = ways.filter(({ outlook }) => outlook === "refused");
  const shown = refused[0] ?? first;
  const count = refused.length === 0 || refused.length === ways.length ? "each" : `${refused.length} of them`;
  return `one of ${ways.length} ways is chosen by chance; ${count}: ${textOf(shown)}`;
}

function textOf({ hop, onward }: Way): string {
  const { outcome, admission } = hop;
  if (outcome.kind === "refusal") return `the client's proxy refuses: ${outcome.message}`;
  if (admission !== null && !admission.allow) return refusalAt(admission);
  if (isPassthrough(hop)) return `plain TCP to ${outcome.dial}, the original destination, as the service requires`;
  if (onward === null) return `${routeText(outcome)}${admission === null ? "" : `, ${admissionText(admission)}`}`;
  return `${routeText(outcome)}, ${behindText(onward.hops)}`;
}

/** What a waypoint can reach. */
function behindText(hops: readonly Hop[]): string {
  const refusals = hops.flatMap(({ admission }) => admission?.allow === false ? [admission] : []);
  const [first] = refusals;
  if (hops.length === 0) return "which has nothing behind it to reach";
  if (first === undefined) {
    return `which can reach ${hops.length === 1 ? "one destination" : `${hops.length} destinations`}`;
  }
  if (hops.length === 1) return `whose one destination ${refusalAt(first)}`;
  const who = refusals.length === hops.length
    ? `whose ${hops.length} destinations all refuse`
    : `whose destinations refuse in part, ${refusals.length} of ${hops.length}`;
  return `${who}; ${refusalAt(first)}`;
}

/** Whether the hop goes to a passthrough service, whose original address is used. */
function isPassthrough({ because }: Hop): boolean {
  return because.some(({ rule }) => rule === "upstream.passthrough");
}

function refusalAt({ at, message }: Admission): string {
  return `${at.namespace}/${at.name} refuses: ${message}`;
}

function routeText({ protocol, dial, destination, leadsTo }: HopRoute): string {
  const who = destination === null ? dial : `${destination.namespace}/${destination.name}`;
  switch (leadsTo) {
    case "destination":
      return `${protocol === "TCP" ? "plain TCP" : protocol} to ${who}`;
    case "waypoint":
      return `${protocol} to the waypoint ${who}`;
    case "gateway":
      return `two tunnels through the gateway ${who}, behind which nothing is known here`;
    case "outside":
      return `plain TCP to ${who}, an address outside of the mesh`;
    default:
      return leadsTo satisfies never;
  }
}

function admissionText({ notEnforced, decision, policy }: Admission): string {
  if (notEnforced !== null) return notEnforced;
  return `allowed there: ${decision}${policy === null ? "" : ` (${policy})`}`;
}
