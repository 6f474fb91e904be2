/**
 * The service map of this node: who talks to whom. It is made of the traffic between pairs of workloads that the workers
 * have counted. A connection between two pods of this node is counted at both ends, and here once.
 */
import type { Millis } from "../net/clock.ts";
import type { TrafficPair } from "../telemetry/traffic_pairs.ts";

/** One direction between two workloads. Counts are since the start. */
interface MapEdge {
  /** `namespace/name`; null: not known, such as what is outside the mesh. */
  readonly source: string | null;
  readonly destination: string | null;
  /** Hostnames, {@link SERVICES_MAX} at most. */
  readonly services: readonly string[];
  readonly mutualTls: boolean;
  readonly open: number;
  readonly opened: number;
  /** Refused by a policy. */
  readonly denied: number;
  readonly failed: number;
  readonly bytesToDestination: number;
  readonly bytesToSource: number;
  /** For each second since the last update; null: this is the first one. */
  readonly rate: EdgeRate | null;
}

interface EdgeRate {
  readonly opened: number;
  readonly denied: number;
  readonly failed: number;
  readonly bytes: number;
}

/** The map. */
export interface MapDocument {
  /** The busiest edges first. */
  readonly edges: readonly MapEdge[];
  /** Edges that were left out, and the connections that they have opened. */
  readonly leftOut: { readonly edges: number; readonly opened: number };
  /** ms that the rates are about; null: none. */
  readonly span: Millis | null;
}

interface Edge {
  readonly source: string | null;
  readonly destination: string | null;
  readonly mutualTls: boolean;
  readonly services: Set<string>;
  /** By reporter. */
  readonly counts: Partial<Record<TrafficPair["reporter"], Counts>>;
}

interface Counts {
  opened: number;
  closed: number;
  denied: number;
  failed: number;
  received: number;
  sent: number;
}

const SERVICES_MAX = 3;

/** Makes the map, and its rates from one update to the next. */
export class ServiceMap {
  readonly #most: number;
  #before: { readonly time: Millis; readonly counts: ReadonlyMap<string, Counts> } | null = null;

  /** `most`: edges in a document. */
  constructor(most: number) {
    this.#most = most;
  }

  /** `pairs`: what each worker has counted so far. `now`: ms of any clock. */
  update(pairs: Iterable<TrafficPair>, now: Millis): MapDocument {
    const before = this.#before, span = before === null ? null : now - before.time;
    const counts = new Map<string, Counts>(), edges: MapEdge[] = [];
    for (const [key, edge] of edgesOf(pairs)) {
      const sum = countsOf(edge);
      counts.set(key, sum);
      edges.push(edgeOf(edge, sum, span === null ? null : rateOf(sum, before!.counts.get(key), span)));
    }
    this.#before = { time: now, counts };
    edges.sort((a, b) => (b.rate?.opened ?? 0) - (a.rate?.opened ?? 0) || b.opened - a.opened);
    const left = edges.slice(this.#most);
    return {
      edges: edges.slice(0, this.#most),
      leftOut: { edges: left.length, opened: left.reduce((sum, { opened }) => sum + opened, 0) },
      span,
    };
  }

  /** Releases the counts: nobody looks any more. The next update has no rates. */
  clear(): void {
    this.#before = null;
  }
}

function edgesOf(pairs: Iterable<TrafficPair>): Map<string, Edge> {
  const edges = new Map<string, Edge>();
  for (const { reporter, source, destination, service, mutualTls, ...more } of pairs) {
    const key = `${source}\n${destination}\n${mutualTls}`;
    let edge = edges.get(key);
    if (edge === undefined) edges.set(key, edge = { source, destination, mutualTls, services: new Set(), counts: {} });
    if (service !== null && edge.services.size < SERVICES_MAX) edge.services.add(service);
    const counts = edge.counts[reporter];
    if (counts === undefined) edge.counts[reporter] = { ...more };
    else for (const name of COUNTS) counts[name] += more[name];
  }
  return edges;
}

/** The side that has seen more, and the refusals of both: a policy refuses at the destination only. */
function countsOf({ counts: { source, destination } }: Edge): Counts {
  if (source === undefined || destination === undefined) return source ?? destination ?? NOTHING;
  const more = source.opened >= destination.opened ? source : destination;
  // The source counts a refusal by the destination's policy as a failure.
  const denied = source.denied + destination.denied;
  return { ...more, denied, failed: Math.max(more.failed - (more === source ? destination.denied : 0), 0) };
}

function rateOf(now: Counts, before: Counts = NOTHING, span: Millis): EdgeRate {
  const rate = (difference: number) => span <= 0 ? 0 : Math.max(0, Math.round(difference / span * 1e6) / 1e3);
  return {
    opened: rate(now.opened - before.opened),
    denied: rate(now.denied - before.denied),
    failed: rate(now.failed - before.failed),
    bytes: rate(now.received + now.sent - before.received - before.sent),
  };
}

function edgeOf({ source, destination, mutualTls, services }: Edge, counts: Counts, rate: EdgeRate | null): MapEdge {
  const { opened, closed, denied, failed, received, sent } = counts;
  return {
    source,
    destination,
    services: [...services],
    mutualTls,
    open: Math.max(0, opened - closed),
    opened,
    denied,
    failed,
    bytesToDestination: received,
    bytesToSource: sent,
    rate,
  };
}

const NOTHING: Counts = { opened: 0, closed: 0, denied: 0, failed: 0, received: 0, sent: 0 };
const COUNTS = Object.keys(NOTHING) as readonly (keyof Counts)[];
