/** What `ztunnel simulate` prints: a summary, then one line for each change. */
import type { Change, ChangeList, Finding, SimulationResult } from "../mesh/simulate/result.ts";

const TITLES = {
  connections: "open connections",
  flows: "connections that have ended",
  pairs: "pairs of the mesh",
} as const;

/** The whole text. */
export function simulationText(result: SimulationResult): string {
  const { applied, assumptions, enumerated } = result;
  const names = ["connections", "flows", "pairs"] as const;
  const lines = [
    ...names.map((name) => summaryLine(TITLES[name], result[name])),
    "",
    ...applied.map(({ object, effect, notes }) => `${object}: ${[effect, ...notes].join("; ")}`),
    ...assumptions.map((text) => `assumed: ${text}`),
    ...names.flatMap((name) => sectionOf(TITLES[name], result[name])),
  ];
  if (enumerated !== null) {
    const { identities, destinations, groups, changedGroups } = enumerated;
    lines.push(
      "",
      `Compared: ${identities} identities and plain clients with ${destinations} workloads, which have ${groups} sets of ` +
        `policies; ${changedGroups} sets change`,
    );
  }
  return `${lines.join("\n")}\n`;
}

function summaryLine(title: string, list: ChangeList | null): string {
  if (list === null) return `${title}: not known`;
  const { evaluated, skipped, refused, allowed } = list;
  const left = skipped === 0 ? "" : `, ${skipped} not evaluated`;
  return `${title}: ${refused} newly refused, ${allowed} newly allowed (of ${evaluated}${left})`;
}

/** Names of sources or destinations in one line. */
const NAMES_MAX = 3;

function sectionOf(title: string, list: ChangeList | null): string[] {
  if (list === null || list.changes.length === 0) return [];
  const more = list.more === 0 ? [] : [`  and ${list.more} more`];
  return (["refused", "allowed"] as const).flatMap((kind) => {
    const changes = list.changes.filter(({ change }) => change === kind);
    return changes.length === 0 ? [] : ["", `${title}, newly ${kind}:`, ...changeLines(changes)];
  }).concat(more);
}

/** A line for all sources with the same outcome at the same destinations for the same reason. */
function changeLines(changes: readonly Change[]): string[] {
  const groups = groupsOf(changes, (change) => JSON.stringify([destinationsText(change), endingOf(change)]));
  return groups.map((group) => {
    const [first] = group;
    return `  ${listed(group.map(sourceText), 0)} -> ${destinationsText(first!)}${endingOf(first!)}`;
  });
}

function groupsOf<T>(items: readonly T[], keyOf: (item: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** `more`: further ones that are not among the texts. */
function listed(texts: readonly string[], more: number): string {
  const left = Math.max(0, texts.length - NAMES_MAX) + more;
  const shown = texts.slice(0, NAMES_MAX).join(", ");
  return left === 0 ? shown : `${shown} and ${left} more`;
}

function sourceText({ source }: Change): string {
  const plain = source.address === null ? "plain clients" : `plain ${source.address}`;
  const client = source.identity?.replace("spiffe://", "") ?? plain;
  return source.workload === null ? client : `${source.workload} (${client})`;
}

function destinationsText({ destinations, moreDestinations, otherPorts }: Change): string {
  const texts = destinations.map(({ namespace, workload, ports }) => {
    const rest = ports.length === 0 ? "any port" : "other ports";
    return `${namespace}/${workload}:${[...ports, ...otherPorts ? [rest] : []].join(",")}`;
  });
  return listed(texts, moreDestinations);
}

function endingOf({ count, ids, before, after }: Change): string {
  const times = ids.length === 0 || count === 1 ? "" : ` x${count}`;
  return `${times}: ${reasonOf(before)} -> ${reasonOf(after)}`;
}

function reasonOf({ allow, text, policy, details }: Finding): string {
  const by = policy === null ? "" : ` ${policy}`;
  const [, number] = /^(rule [0-9]+): /.exec(details[0] ?? "") ?? [];
  const rule = policy === null || number === undefined ? "" : ` ${number}`;
  return `${allow ? "allowed" : "refused"} (${text}${by}${rule})`;
}
