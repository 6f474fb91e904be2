/**
 * Messages about connections, open and ended. A part of `messages.ts`; plain data.
 *
 * A list is read in slices, of which one is in flight. Who follows flows gets batches, a few of which are in flight:
 *
 *     main                        worker
 *      │── list-begin ─────────────▶│
 *      │── list-more ──────────────▶│
 *      │◀─────────────── list-slice │  … until `ended`
 *      │── list-end ───────────────▶│  in any case
 *
 *      │── follow ─────────────────▶│
 *      │◀─────────────── flow-batch │  … while there are events
 *      │── batch-taken ────────────▶│  for each batch
 *      │── unfollow ───────────────▶│
 */
import type { FlowPosition } from "../proxy/flow_list.ts";
import type { FlowFilter } from "../telemetry/flow_filter.ts";

/**
 * What is listed. `open`: in the order of positions, behind `after`. `ended`: newest first, `most` at most. `dry-runs`:
 * the counts of policies in dry run ({@link DryRunCount}). `pairs`: the traffic between workloads ({@link TrafficPair}).
 * `policies`: {@link PolicyRow} whose names contain `search`, `most` at most, those that have decided something first. `decisions`: those that
 * were made, or the one with this id ({@link DecisionRow}).
 */
export type FlowList =
  | {
    readonly what: "open";
    readonly filter: FlowFilter;
    readonly after: FlowPosition | null;
    /** Null: all of them. */
    readonly most: number | null;
  }
  | { readonly what: "ended"; readonly filter: FlowFilter; readonly most: number }
  | { readonly what: "dry-runs" | "pairs" }
  | { readonly what: "policies"; readonly search: string; readonly most: number }
  | { readonly what: "decisions"; readonly id: string | null };

/** From main to a worker. Main chooses the numbers of lists and followers, and uses each once. */
export type FlowRequest =
  | { readonly kind: "list-begin"; readonly list: number; readonly of: FlowList }
  | { readonly kind: "list-more"; readonly list: number }
  | { readonly kind: "list-end"; readonly list: number }
  | { readonly kind: "follow"; readonly follower: number; readonly filter: FlowFilter }
  /** `buffers`: those of the batch. */
  | { readonly kind: "batch-taken"; readonly follower: number; readonly buffers: readonly Uint8Array<ArrayBuffer>[] }
  | { readonly kind: "unfollow"; readonly follower: number };

/** Between two rows, which have no line feeds. */
export const ROW_SEPARATOR = ",\n";

/** A part of a list. */
export interface FlowSlice {
  /** Rows as JSON with {@link ROW_SEPARATOR} between them, as UTF-8. The buffers are handed over. */
  readonly chunks: readonly Uint8Array<ArrayBuffer>[];
  readonly rows: number;
  /** The position of the last row, in a list of open connections. */
  readonly last: FlowPosition | null;
  readonly ended: boolean;
}

/** From a worker to main. */
export type FlowAnswer =
  | { readonly kind: "list-slice"; readonly list: number; readonly slice: FlowSlice }
  /**
   * `events`: server-sent events whose data is a flow as JSON, as UTF-8. The buffers are handed over. `lost`: events before them that were dropped, as main did
   * not take batches in time.
   */
  | {
    readonly kind: "flow-batch";
    readonly follower: number;
    readonly events: readonly Uint8Array<ArrayBuffer>[];
    readonly lost: number;
  };
