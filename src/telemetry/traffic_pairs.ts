/** Sums of the traffic series for each pair of workloads, for the service map. */
import { addTraffic, type TrafficSeries } from "./traffic_metrics.ts";

/** Who talks to whom, as one side has counted it. Null: not known. */
export interface TrafficPair {
  readonly reporter: "source" | "destination";
  /** `namespace/name`; the name is that of the pod's owner, or the service account where that is all that is known. */
  readonly source: string | null;
  readonly destination: string | null;
  /** The hostname of the service. */
  readonly service: string | null;
  readonly mutualTls: boolean;
  opened: number;
  closed: number;
  /** Refused by a policy. */
  denied: number;
  /** Failed for another reason. */
  failed: number;
  /** Bytes towards the destination, and back. */
  received: number;
  sent: number;
}

type PairNames = Pick<TrafficPair, "reporter" | "source" | "destination" | "service" | "mutualTls">;

/** Reading the names of a series takes some microseconds, so they are kept as long as the series. */
const known = new WeakMap<TrafficSeries, PairNames>();

/** Adds up the series. Yields null after each, so that the caller can end its turn, and the pairs at the end. */
export function* trafficPairs(series: Iterable<TrafficSeries>): Generator<TrafficPair | null, void, undefined> {
  const pairs = new Map<string, { readonly names: PairNames; readonly sum: TrafficSeries }>();
  for (const one of series) {
    let names = known.get(one);
    if (names === undefined) known.set(one, names = namesOf(one.labels));
    const { reporter, source, destination, service, mutualTls } = names;
    const key = [reporter, source, destination, service, mutualTls].join("\n");
    let pair = pairs.get(key);
    if (pair === undefined) {
      const sum = { labels: "", flagAt: 0, opened: 0, received: 0, sent: 0, closed: {}, failed: {} };
      pairs.set(key, pair = { names, sum });
    }
    addTraffic(pair.sum, one);
    yield null;
  }
  for (const { names, sum: { opened, received, sent, closed, failed } } of pairs.values()) {
    const denied = failed.DENY ?? 0;
    yield { ...names, opened, closed: total(closed), denied, failed: total(failed) - denied, received, sent };
  }
}

function total(counts: TrafficSeries["closed"]): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

const LABEL = /([a-z_]+)="((?:[^"\\]|\\.)*)"/g;

/** A SPIFFE id of Istio. */
const ACCOUNT = /^spiffe:\/\/[^/]*\/ns\/([^/]+)\/sa\/([^/]+)$/;

function namesOf(text: string): PairNames {
  const labels = new Map<string, string>();
  for (const [, name = "", value = ""] of text.matchAll(LABEL)) labels.set(name, value.replace(/\\(.)/g, unescaped));
  const value = (name: string) => {
    const found = labels.get(name) ?? "unknown";
    return found === "unknown" ? null : found;
  };
  const workload = (side: string) => {
    const name = value(`${side}_workload`);
    if (name !== null) return `${value(`${side}_workload_namespace`) ?? ""}/${name}`;
    const [, namespace, account] = ACCOUNT.exec(value(`${side}_principal`) ?? "") ?? [];
    return namespace === undefined ? null : `${namespace}/${account}`;
  };
  return {
    reporter: labels.get("reporter") === "source" ? "source" : "destination",
    source: workload("source"),
    destination: workload("destination"),
    service: value("destination_service"),
    mutualTls: labels.get("connection_security_policy") === "mutual_tls",
  };
}

function unescaped(_all: string, character: string): string {
  return character === "n" ? "\n" : character;
}
