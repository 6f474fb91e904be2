/** The figures of a proxy that must not grow during a soak run, and how much growth of each is none. */

/** A figure of a process. */
export interface Figure {
  readonly id: FigureId;
  readonly title: string;
  readonly unit: string;
  /** The largest slope, per hour, that is no growth. */
  readonly perHour: number;
  /** Where the limit comes from. */
  readonly why: string;
  /** Judged only where each collection of garbage is a full one. */
  readonly fullCollections?: true;
}

/** Names of figures. */
export type FigureId =
  | "descriptors"
  | "threads"
  | "sockets"
  | "table"
  | "series"
  | "mesh"
  | "certificates"
  | "heap"
  | "native"
  | "rss";

/** The samples of a process at one time. A figure may be missing, such as the heap before its first collection. */
export type Reading = { readonly [id in FigureId]?: number };

/**
 * The load opens about 40 connections a second through each pair of proxies, 144,000 an hour, of which some tens are
 * open at any time. A limit of 20 finds what leaks for one connection in 7,000.
 */
export const FIGURES: readonly Figure[] = [
  { id: "descriptors", title: "descriptors", unit: "", perHour: 20, why: "one for 7,000 connections" },
  { id: "threads", title: "threads", unit: "", perHour: 1, why: "a proxy starts all of its threads at the start" },
  { id: "sockets", title: "istio_tcp_sockets_open", unit: "", perHour: 20, why: "one for 7,000 connections" },
  { id: "table", title: "connections in /config_dump", unit: "", perHour: 20, why: "one for 7,000 connections" },
  { id: "series", title: "lines of /metrics", unit: "", perHour: 20, why: "series of past peers and pods are removed" },
  { id: "mesh", title: "workloads, services, policies", unit: "", perHour: 20, why: "one for 1,000 changes" },
  { id: "certificates", title: "certificates", unit: "", perHour: 2, why: "one for 300 pods that come and go" },
  {
    id: "heap",
    title: "heap after full collections",
    unit: "MB",
    perHour: 5,
    why: "35 bytes for a connection, less than an object takes; V8's own tables grow by 1 to 4 MB in the first hour",
    fullCollections: true,
  },
  { id: "native", title: "resident memory without heaps", unit: "MB", perHour: 6, why: "40 bytes for a connection" },
  // A proxy with little to do has no full collection for an hour, and its garbage grows until then.
  {
    id: "rss",
    title: "resident memory",
    unit: "MB",
    perHour: 6,
    why: "40 bytes for a connection",
    fullCollections: true,
  },
];

/**
 * What may remain of these figures when the load has ended, beyond what there was before it began. The runtime starts
 * and ends threads of its own.
 */
const LEFT: Readonly<Partial<Record<FigureId, number>>> = { descriptors: 4, sockets: 0, table: 0, threads: 4 };

/** A figure before the load began and after it had ended. */
interface Left {
  readonly id: FigureId;
  readonly before: number;
  readonly after: number;
  /** Nothing is left of the load. */
  readonly ok: boolean;
}

/** Compares what must not remain. */
export function leftOf({ before, after }: { readonly before: Reading; readonly after: Reading }): Left[] {
  return FIGURES.flatMap(({ id }) => {
    const [was, is, most] = [before[id], after[id], LEFT[id]];
    if (was === undefined || is === undefined || most === undefined) return [];
    return [{ id, before: was, after: is, ok: is - was <= most }];
  });
}
