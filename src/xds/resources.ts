/**
 * The interface between the delta stream and the code that applies resources: it gets resources as bytes and returns
 * rejections (`docs/spec/xds-state.md` 2.6, 2.7).
 */

/** The type URL of workloads and services. */
export const ADDRESS_TYPE = "type.googleapis.com/istio.workload.Address";
/** The type URL of policies. */
export const AUTHORIZATION_TYPE = "type.googleapis.com/istio.security.Authorization";

/** The subscribed type URLs, in the order of their first requests. */
export const RESOURCE_TYPES = [ADDRESS_TYPE, AUTHORIZATION_TYPE] as const;
/** One of {@link RESOURCE_TYPES}. */
export type ResourceType = typeof RESOURCE_TYPES[number];

/** One resource of a delta response, its payload not decoded. */
export interface RawResource {
  /** A workload's uid, `namespace/hostname` of a service, `namespace/name` of a policy. Any text, as the peer sent it. */
  readonly name: string;
  /** Opaque; empty for policies. */
  readonly version: string;
  /** `value` of the Any: a view of the response, valid until the next resource is read. */
  readonly body: Uint8Array;
}

/** The resources of one delta response. */
export interface ResourceBatch {
  readonly type: ResourceType;
  /** The number of the connection, for the log: the span `xds{id=N}`. */
  readonly connection: number;
  /**
   * Added and changed resources in the order of the response; to be applied before {@link removed}. A name may occur
   * twice. Must be iterated once, to the end, as resources are read from the response meanwhile. Does not throw, and one
   * step takes microseconds, so the consumer may pause between steps.
   */
  readonly changed: Iterable<RawResource>;
  /** Removed names. May be iterated repeatedly. May contain unknown names, and names of {@link changed}. */
  readonly removed: Iterable<string>;
  /**
   * Policies only: resolves when the responses before this one are in force, all of them. The policies of {@link changed}
   * need not wait for it, whatever takes away a policy has to. Null: they are in force.
   */
  readonly earlier: Promise<void> | null;
}

/** Why one resource of a batch was not applied. The earlier resource with this name is kept. */
export interface Rejection {
  readonly name: string;
  /** The text for the NACK, without newlines: `unknown address type`, `decode: ...`. */
  readonly reason: string;
}

/** Applies resources. */
export interface ResourceSink {
  /**
   * Applies all valid resources and returns the rejections: first unacceptable resources, then malformed ones. Blocks the
   * loop for at most 50 ms at a time. The caller waits for the promise before it acknowledges the response and before the
   * next call for this type, and calls for workloads and services only when nothing else is being applied. Should not reject: that ends the stream, and no resource of the batch becomes known.
   */
  apply(batch: ResourceBatch): Promise<readonly Rejection[]>;
}
