/** What main and workers say about pods of shared mode. A part of `messages.ts`; plain data. */
import type { WorkloadName } from "../config/config.ts";
import type { DrainMode } from "../proxy/drain.ts";

/** One attempt to serve a pod. Numbers are given by main and never used again. */
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
  }
  /** Of an instance that is gone already it means nothing. */
  | { readonly kind: "stop"; readonly instance: PodInstance; readonly mode: DrainMode };

export type PodAnswer =
  | { readonly kind: "started"; readonly instance: PodInstance }
  /** Nothing of it is left here. */
  | { readonly kind: "failed"; readonly instance: PodInstance; readonly reason: string }
  /** It was stopped, its last connection has ended. */
  | { readonly kind: "ended"; readonly instance: PodInstance };
