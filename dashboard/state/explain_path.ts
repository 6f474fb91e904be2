/** An explanation as a path: what the connection passes, and what happens in between. */
import type { Admission, Explanation, Hop, Reason, Way, WorkloadSummary } from "./wire.ts";

/** A station of the path. */
export interface Station {
  readonly kind: "client" | "destination" | "waypoint" | "refused";
  readonly title: string;
  readonly details: readonly string[];
  /** Whether the call is admitted here; null: nothing decides here. */
  readonly admission: Admission | null;
}

/** What leads to the next station. */
interface Leg {
  readonly by: string;
  readonly protocol: string | null;
  readonly isSecure: boolean;
  readonly because: readonly Reason[];
}

/** Stations and legs take turns, and a station is first and last. */
interface ExplainPath {
  readonly stations: readonly Station[];
  readonly legs: readonly Leg[];
}

const BY = { proxy: "the client's proxy", client: "the client itself", waypoint: "the waypoint" } as const;

/** The path of one way; where a waypoint goes on to several places, the first is shown. */
export function pathOf(
  { from, fromAddress }: Pick<Explanation, "from" | "fromAddress">,
  { hop, onward }: Way,
): ExplainPath {
  const client: Station = {
    kind: "client",
    title: from === null ? fromAddress : nameOf(from),
    details: from === null ? ["no workload of the mesh"] : [fromAddress, from.identity ?? "no identity"],
    admission: null,
  };
  const [next] = onward?.hops ?? [];
  const stations = [client, stationOf(hop, onward !== null)], legs = [legOf(hop)];
  if (next !== undefined) {
    stations.push(stationOf(next, false));
    legs.push(legOf(next));
  }
  return { stations, legs };
}

function stationOf({ outcome, admission }: Hop, isWaypoint: boolean): Station {
  if (outcome.kind === "refusal") {
    return { kind: "refused", title: "refused", details: [outcome.message, outcome.code], admission };
  }
  const { destination, dial, service, leadsTo } = outcome;
  const details = [
    dial,
    ...service === null ? [] : [service],
    ...destination?.identity == null ? [] : [destination.identity],
  ];
  return {
    kind: isWaypoint ? "waypoint" : "destination",
    title: destination === null ? leadsTo : nameOf(destination),
    details,
    admission,
  };
}

function legOf({ by, because, outcome }: Hop): Leg {
  const protocol = outcome.kind === "route" ? outcome.protocol : null;
  return { by: BY[by], protocol, isSecure: protocol !== null && protocol !== "TCP", because };
}

function nameOf({ namespace, name }: WorkloadSummary): string {
  return `${namespace}/${name}`;
}
