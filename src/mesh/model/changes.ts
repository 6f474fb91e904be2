/** Changes of the mesh. One xDS response or one static file becomes a batch of these values. */
import type { Endpoint, NamespacedHostname, Policy, PolicyKey, PortMap, Service, Workload } from "./model.ts";

/** A workload and the ports it offers for each service it belongs to. */
export interface WorkloadChange {
  readonly kind: "workload";
  readonly workload: Workload;
  readonly endpoints: ReadonlyMap<NamespacedHostname, PortMap>;
}

/** A service. Its endpoints come with workloads; only a static file names some here. */
export interface ServiceChange {
  readonly kind: "service";
  readonly service: Service;
  readonly endpoints: readonly Endpoint[];
}

/** A policy, new or changed. */
export interface PolicyChange {
  readonly kind: "policy";
  readonly key: PolicyKey;
  readonly policy: Policy;
}

/** Consists of plain values, so a batch can be posted to a worker as it is. */
export type MeshChange =
  | WorkloadChange
  | ServiceChange
  | PolicyChange
  /** The name of an xDS Address resource: a workload's uid, or `namespace/hostname`. */
  | { readonly kind: "remove-address"; readonly name: string }
  | { readonly kind: "remove-policy"; readonly key: PolicyKey }
  /** Removes everything; the first change of a loaded static file. */
  | { readonly kind: "clear" }
  | RecordChange;

/** Changes by records that the main isolate has written into memory that isolates share (`records/record_memory.ts`). */
export type RecordChange =
  /** The memory of the segment with this number; null: it has no record any more. */
  | { readonly kind: "segment"; readonly number: number; readonly memory: SharedArrayBuffer | null }
  /** Further texts to which records refer. */
  | { readonly kind: "texts"; readonly texts: readonly string[] }
  /** A workload or a service, new or changed. */
  | { readonly kind: "record"; readonly at: Location }
  /** A record was copied, nothing else changes. */
  | { readonly kind: "moved-record"; readonly from: Location; readonly to: Location };

/** Where a record is: the number of its segment and of the unit in it. 0: nowhere. */
export type Location = number & { readonly _: "Location" };
