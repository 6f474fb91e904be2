/** What the rest of the room means by a pod, and what it needs of whoever serves one. */
import type { WorkloadName } from "../config/config.ts";
import type { DrainMode } from "../proxy/drain.ts";

/** The agent's key of a pod. Opaque: not the uid of its workload in xDS (`docs/spec/inpod-dns.md` A1.14). */
export type PodUid = string & { readonly _: "PodUid" };

/** A pod's network namespace, held open by a descriptor that goes with the last reference. */
export interface PodNamespace {
  /** The same for two descriptors of one namespace, and only then: device and inode (A2.1). */
  readonly identity: string;
  /** Its number, good for as long as a reference is held. */
  readonly descriptor: number;
  retain(): void;
  release(): void;
}

export interface Pod {
  readonly uid: PodUid;
  readonly workload: WorkloadName;
  readonly namespace: PodNamespace;
}

export interface ServingEvents {
  /** It is served: its listeners accept. */
  onStarted(): void;
  /** It is not, and will not be. */
  onFailed(reason: string): void;
  /** Last, after either: nothing of it is left, and nobody uses its namespace any more. */
  onEnded(): void;
}

export interface Serving {
  /** Idempotent, but for an immediate drain that cuts short a graceful one. */
  stop(mode: DrainMode): void;
}

/** Serves pods in their namespaces. Answers come later, never from inside a call. */
export interface PodHost {
  /** The caller keeps its reference to the namespace until `onEnded`. */
  serve(pod: Pod, events: ServingEvents): Serving;
}
