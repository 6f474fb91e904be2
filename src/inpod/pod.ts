/** A pod, and the interface of the code that serves pods. */
import type { WorkloadName } from "../config/config.ts";
import type { DrainMode } from "../net/drain_mode.ts";

/** The agent's key of a pod. Opaque: not the uid of its workload in xDS (`docs/spec/inpod-dns.md` A1.14). */
export type PodUid = string & { readonly _: "PodUid" };

/** A pod's network namespace, kept open by a descriptor that is closed with the last reference. */
export interface PodNamespace {
  /** Device and inode: equal only for descriptors of the same namespace (`docs/spec/inpod-dns.md` A2.1). */
  readonly identity: string;
  /** The descriptor, valid while the caller has a reference. */
  readonly descriptor: number;
  /** Adds a reference. */
  retain(): void;
  /** Removes a reference. */
  release(): void;
}

/** A pod as the agent has enrolled it. */
export interface Pod {
  readonly uid: PodUid;
  readonly workload: WorkloadName;
  readonly namespace: PodNamespace;
}

/** Receives the outcome of {@link PodHost.serve}. */
export interface ServingEvents {
  /** The pod is served: its listeners accept. */
  onStarted(): void;
  /** The pod is not served, and this attempt has ended. */
  onFailed(reason: string): void;
  /** The last event, after either of the others: everything is closed and the namespace is not used any more. */
  onEnded(): void;
}

/** A pod that is served or about to be. */
export interface Serving {
  /** Stops serving. Idempotent, except that an immediate drain ends a graceful one. */
  stop(mode: DrainMode): void;
}

/** Serves pods in their namespaces. Events are never emitted during a call. */
export interface PodHost {
  /** Starts to serve a pod. The caller keeps its reference to the namespace until `onEnded`. */
  serve(pod: Pod, events: ServingEvents): Serving;
}
