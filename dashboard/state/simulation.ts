/** The answer of `/simulate`, and its changes as rows of a table. */

/** A part of `src/mesh/simulate/result.ts`. */
export interface Simulation {
  readonly applied: readonly { readonly object: string; readonly effect: string; readonly notes: readonly string[] }[];
  readonly assumptions: readonly string[];
  readonly connections: SimulatedList | null;
  readonly flows: SimulatedList | null;
  readonly pairs: SimulatedList | null;
}

/** The changes of one kind. */
interface SimulatedList {
  readonly evaluated: number;
  readonly skipped: number;
  readonly refused: number;
  readonly allowed: number;
  readonly changes: readonly SimulatedChange[];
  readonly more: number;
}

interface SimulatedChange {
  readonly change: "refused" | "allowed";
  readonly source: {
    readonly identity: string | null;
    readonly workload: string | null;
    readonly address: string | null;
  };
  readonly destinations: readonly {
    readonly namespace: string;
    readonly workload: string;
    readonly ports: readonly number[];
  }[];
  readonly moreDestinations: number;
  readonly otherPorts: boolean;
  readonly count: number;
  readonly after: { readonly text: string; readonly policy: string | null };
}

/** One change. */
export interface SimulatedRow {
  readonly key: string;
  readonly what: string;
  readonly change: "refused" | "allowed";
  readonly source: string;
  readonly destination: string;
  readonly count: number;
  /** What decides afterwards. */
  readonly reason: string;
}

/** The kinds of lists with their titles. */
export const SIMULATED = [
  { name: "connections", title: "open connections" },
  { name: "flows", title: "ended connections" },
  { name: "pairs", title: "pairs of the mesh" },
] as const;

/** All changes, refusals first. */
export function simulatedRows(simulation: Simulation): readonly SimulatedRow[] {
  const rows = SIMULATED.flatMap(({ name, title }) =>
    (simulation[name]?.changes ?? []).map((change, i) => rowOf(`${name} ${i}`, title, change))
  );
  return [...rows.filter(({ change }) => change === "refused"), ...rows.filter(({ change }) => change === "allowed")];
}

function rowOf(key: string, what: string, change: SimulatedChange): SimulatedRow {
  const { source, destinations, moreDestinations, otherPorts, count, after } = change;
  const client = source.workload ?? source.identity?.replace("spiffe://", "") ?? source.address ?? "plain clients";
  const to = destinations.map(({ namespace, workload, ports }) => {
    const others = ports.length === 0 ? "any port" : "other ports";
    return `${namespace}/${workload}:${[...ports, ...otherPorts ? [others] : []].join(",")}`;
  });
  return {
    key,
    what,
    change: change.change,
    source: client,
    destination: moreDestinations === 0 ? to.join(" ") : `${to.join(" ")} and ${moreDestinations} more`,
    count,
    reason: after.policy === null ? after.text : `${after.text}: ${after.policy}`,
  };
}
