/** The answer of `ztunnel simulate`: plain values, sent as JSON (`docs/simulate.md`). */

/** What decides about a connection. */
export interface Finding {
  readonly allow: boolean;
  /** The decision in the words of the log. */
  readonly text: string;
  /** The policy that decides; null: none does. */
  readonly policy: string | null;
  /** The id of the decision (`flows.md`). */
  readonly id: string;
  /** The rule that matches, or why none does. */
  readonly details: readonly string[];
}

/** Destinations of one change that are listed. */
export const DESTINATIONS_MAX = 20;

/** Where connections lead whose outcome changes. */
interface ChangedDestination {
  readonly namespace: string;
  /** The name of its Deployment or the like, where it has one; of a connection the pod. */
  readonly workload: string;
  readonly workloads: number;
  /** Ports of the application. */
  readonly ports: readonly number[];
}

/** Connections, or possible connections, of one kind whose outcome changes. */
export interface Change {
  readonly change: "refused" | "allowed";
  readonly source: {
    /** SPIFFE id; null: a plain connection. */
    readonly identity: string | null;
    /** `namespace/name`; null: not known, or several. */
    readonly workload: string | null;
    /** Null where {@link Change.source.identity} is enough. */
    readonly address: string | null;
    /** Workloads of this identity; of a connection 1. */
    readonly workloads: number;
  };
  /** One at least; at most {@link DESTINATIONS_MAX}. */
  readonly destinations: readonly ChangedDestination[];
  /** Further destinations that are not listed. */
  readonly moreDestinations: number;
  /** Of a pair: whether it holds for every further port that no policy names. */
  readonly otherPorts: boolean;
  /** Connections, or pairs of the source with a destination. */
  count: number;
  /** The ids of some connections. */
  readonly ids: string[];
  readonly before: Finding;
  readonly after: Finding;
}

/** The changes of one kind. */
export interface ChangeList {
  /** Connections or pairs that were evaluated. */
  evaluated: number;
  /** Those that could not be evaluated, as the mesh no longer has their workload, or there are too many. */
  skipped: number;
  /** How many connections or pairs would be newly refused, and newly allowed. */
  refused: number;
  allowed: number;
  readonly changes: Change[];
  /** Further changes that are not listed. */
  more: number;
}

/** The kinds of {@link ChangeList}. */
export type ListName = "connections" | "flows" | "pairs";

/** What becomes of one object, or of a deletion. */
export interface AppliedObject {
  /** `AuthorizationPolicy shop/deny` */
  readonly object: string;
  readonly effect: "added" | "replaced" | "unchanged" | "deleted" | "not for ztunnel" | "applied";
  readonly notes: readonly string[];
}

/** Which pairs were compared. */
export interface Enumerated {
  /** Identities of the mesh; plain connections count as one more source. */
  readonly identities: number;
  /** Workloads where a proxy of this mesh enforces policies. */
  readonly destinations: number;
  /** Groups of them that enforce the same policies, and those of them whose policies change. */
  readonly groups: number;
  readonly changedGroups: number;
}

/** The whole answer. A list is null where there is no data for it. */
export interface SimulationResult {
  readonly applied: readonly AppliedObject[];
  /** What was assumed since the proxy does not have the data. */
  readonly assumptions: readonly string[];
  readonly connections: ChangeList | null;
  readonly flows: ChangeList | null;
  readonly pairs: ChangeList | null;
  readonly enumerated: Enumerated | null;
}
