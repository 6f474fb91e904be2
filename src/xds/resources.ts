/**
 * The seam between the delta stream and whoever turns resources into mesh values: bytes in, refusals out
 * (`docs/spec/xds-state.md` 2.6, 2.7).
 */

export const ADDRESS_TYPE = "type.googleapis.com/istio.workload.Address";
export const AUTHORIZATION_TYPE = "type.googleapis.com/istio.security.Authorization";

/** Type URLs that are subscribed, in the order of their first requests. */
export const RESOURCE_TYPES = [ADDRESS_TYPE, AUTHORIZATION_TYPE] as const;
export type ResourceType = typeof RESOURCE_TYPES[number];

/** One resource of a delta response, its payload not decoded. */
export interface RawResource {
  /** A workload's uid or `namespace/hostname`; of a policy `namespace/name`. Written by the peer, any valid text. */
  readonly name: string;
  /** Opaque; empty for policies. */
  readonly version: string;
  /** `value` of the Any: a view of the response, whose memory may go when the next resource is asked for. */
  readonly body: Uint8Array;
}

/** One delta response of one type. Whoever reads the mesh must see all of it or nothing. */
export interface ResourceBatch {
  readonly type: ResourceType;
  /** Number of the connection it came over, for the log: the span `xds{id=N}`. */
  readonly connection: number;
  /**
   * In the order of the response, before {@link removed}. A name may come twice. Made while it is iterated, as there
   * may be a million: to be iterated once, to the end. Never throws, and one step costs microseconds, so a consumer may
   * pause anywhere to let others run.
   */
  readonly changed: Iterable<RawResource>;
  /** Like {@link changed}, but may be iterated again. A name may be among both. Unknown names are harmless. */
  readonly removed: Iterable<string>;
}

/** Why one resource of a batch was not applied. What was known under its name stays. */
export interface Rejection {
  readonly name: string;
  /** As the control plane's log shall show it: `unknown address type`, `decode: ...`. No newlines. */
  readonly reason: string;
}

/** Takes what the control plane said. */
export interface ResourceSink {
  /**
   * Applies all it can and says what it could not, in the order in which it is told: first what was not acceptable,
   * then what could not be decoded. Works in slices: no turn of the loop longer than 50 ms. Awaited before the
   * response is acknowledged, and before the next call. Must not reject; one that does ends the stream, and nothing
   * of the batch counts as known.
   */
  apply(batch: ResourceBatch): Promise<readonly Rejection[]>;
}
