/** What main and workers say about pods of shared mode. A part of `messages.ts`; plain data. */
import type { WorkloadName } from "../config/config.ts";
import type { DumpedConnections } from "../proxy/connection_dump.ts";
import type { DrainMode } from "../net/drain_mode.ts";

/** One attempt to serve a pod. Numbers are given by main, rise, and are never used again. */
export type PodInstance = number & { readonly _: "PodInstance" };

export type PodOrder =
  /**
   * Serve it in the namespace behind the descriptor, which is main's: the worker borrows it until it has said "ended"
   * or "failed".
   */
  | {
    readonly kind: "serve";
    readonly instance: PodInstance;
    readonly uid: string;
    readonly workload: WorkloadName;
    readonly namespace: number;
    /** One of the workers that serve it says so in the log. */
    readonly announce: boolean;
  }
  /** The proxy's own workload, in the process's own namespace. One worker serves it, until the end. */
  | { readonly kind: "serve-self"; readonly workload: WorkloadName }
  /** Of an instance that is gone already it means nothing. */
  | { readonly kind: "stop"; readonly instance: PodInstance; readonly mode: DrainMode }
  | { readonly kind: "report"; readonly request: number }
  | { readonly kind: "connections"; readonly request: number; readonly instance: PodInstance };

export type PodAnswer =
  | { readonly kind: "started"; readonly instance: PodInstance }
  /** Nothing of it is left here. */
  | { readonly kind: "failed"; readonly instance: PodInstance; readonly reason: string }
  /** It was stopped, its last connection has ended. */
  | { readonly kind: "ended"; readonly instance: PodInstance }
  | { readonly kind: "self-failed"; readonly reason: string }
  | { readonly kind: "report"; readonly request: number; readonly pods: readonly PodReport[] }
  | { readonly kind: "connections"; readonly request: number; readonly connections: DumpedConnections };

/** What a worker finds when it looks at what it has of a pod. */
export interface PodReport {
  readonly instance: PodInstance;
  /** Identity of the namespace behind the descriptor; null where there is none any more. */
  readonly namespace: string | null;
  /** What is wrong with its listeners, as the kernel has them. Empty: nothing. */
  readonly faults: readonly string[];
}
