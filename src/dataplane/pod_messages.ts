/** Messages about pods of shared mode. A part of `messages.ts`; plain data. */
import type { WorkloadName } from "../config/config.ts";
import type { DumpDirection, DumpedPage, DumpPlace } from "../proxy/connection_dump.ts";
import type { DrainMode } from "../net/drain_mode.ts";

/** One attempt to serve a pod. Main chooses the numbers; they rise and are not used again. */
export type PodInstance = number & { readonly _: "PodInstance" };

/** From main to a worker. */
export type PodOrder =
  /** Serves the pod in the namespace of the descriptor, which main keeps open until the answer `ended` or `failed`. */
  | {
    readonly kind: "serve";
    readonly instance: PodInstance;
    readonly uid: string;
    readonly workload: WorkloadName;
    readonly namespace: number;
    /** Whether this worker logs the pod's listeners; one of those that serve it does. */
    readonly announce: boolean;
  }
  /** Serves the proxy's own workload in the process's own namespace, until the end. Sent to one worker. */
  | { readonly kind: "serve-self"; readonly workload: WorkloadName }
  /** Without effect for an instance that has ended already. */
  | { readonly kind: "stop"; readonly instance: PodInstance; readonly mode: DrainMode }
  | { readonly kind: "report"; readonly request: number }
  /** Requests a page of a pod's connections. */
  | {
    readonly kind: "connections";
    readonly request: number;
    readonly instance: PodInstance;
    readonly direction: DumpDirection;
    readonly after: DumpPlace | null;
  };

/** From a worker to main. */
export type PodAnswer =
  | { readonly kind: "started"; readonly instance: PodInstance }
  /** The worker cannot serve the pod, and holds nothing of it. */
  | { readonly kind: "failed"; readonly instance: PodInstance; readonly reason: string }
  /** The pod was stopped and its last connection has ended. */
  | { readonly kind: "ended"; readonly instance: PodInstance }
  | { readonly kind: "self-failed"; readonly reason: string }
  | { readonly kind: "report"; readonly request: number; readonly pods: readonly PodReport[] }
  | { readonly kind: "connections"; readonly request: number; readonly page: DumpedPage };

/** What an audit of a pod found in one worker. */
export interface PodReport {
  readonly instance: PodInstance;
  /** Identity of the namespace of the descriptor; null where the descriptor is none of a namespace. */
  readonly namespace: string | null;
  /** What is wrong with the pod's listeners, by what the kernel reports. */
  readonly faults: readonly string[];
}
