/**
 * The sections of the config dump with the state of the mesh, in pieces (`docs/spec/config-admin.md` 4.4).
 *
 * They show the mesh as it was when the dump began: changes that arrive while it is written do not appear. With one
 * exception: the endpoints of a service are those that it has when its text is written, so they may name a workload that
 * was added after the dump began, or miss one that was removed.
 */
import { dumpEndpoint, dumpPolicy, dumpService, dumpWorkload } from "./objects.ts";
import { Entries, Items, jsonPieces, type Node, PAUSE } from "./json.ts";
import { inOrder } from "./order.ts";
import type { Endpoint, NamespacedHostname, Policy, PolicyKey, Service } from "../model/model.ts";
import type { MeshState } from "../state/state.ts";

/** In the order of the document. Sections of other rooms come between the last two. */
export const MESH_SECTIONS = ["policies", "services", "stagedServices", "workloads"] as const;
/** Name of a section. */
export type MeshSection = typeof MESH_SECTIONS[number];

/** A dump in progress. {@link MeshDump.close} ends it. */
export class MeshDump {
  readonly #state: MeshState;
  readonly #snapshot: ReturnType<MeshState["snapshot"]>;
  readonly #policies: readonly { readonly key: PolicyKey; readonly policy: Policy }[];
  readonly #staged: readonly (readonly [NamespacedHostname, readonly Endpoint[]])[];

  /** Takes less than a millisecond for 100,000 workloads. */
  constructor(state: MeshState) {
    this.#state = state;
    this.#snapshot = state.snapshot();
    this.#policies = [...state.policies()];
    this.#staged = [...state.staged].map(([key, endpoints]) => [key, [...endpoints.values()]]);
  }

  /** The dump is not read any more. */
  close(): void {
    this.#snapshot.workloads.close();
    this.#snapshot.services.close();
  }

  /** The text of a section's value. A piece has at most one resource; an empty piece is a pause. */
  pieces(section: MeshSection): Generator<string, void, undefined> {
    return jsonPieces(this.#node(section), 1);
  }

  #node(section: MeshSection): Node {
    const { workloads, services } = this.#snapshot;
    switch (section) {
      case "policies":
        return new Items(mapped(inOrder(this.#policies, (each) => each.key), ({ policy }) => dumpPolicy(policy)));
      case "services":
        return new Items(
          mapped(
            inOrder(services.ids(), (id) => services.value(id).hostname),
            (id) => this.#serviceNode(services.value(id)),
          ),
        );
      case "stagedServices":
        return new Entries(
          mapped(inOrder(this.#staged, ([key]) => key), ([key, endpoints]) => [key, endpointsNode(endpoints)] as const),
        );
      case "workloads":
        return new Items(
          mapped(inOrder(workloads.ids(), (id) => workloads.key(id)), (id) => dumpWorkload(workloads.value(id))),
        );
      default:
        return section satisfies never;
    }
  }

  /** Endpoints are separate pieces, since their number is not limited. */
  #serviceNode(service: Service): Node {
    const endpoints = this.#state.service(service.key)?.endpoints.values() ?? [];
    const fields: [string, Node][] = Object.entries(dumpService(service));
    fields.push(["endpoints", endpointsNode([...endpoints])]);
    return new Entries(fields.sort(([a], [b]) => a < b ? -1 : 1));
  }
}

function endpointsNode(endpoints: readonly Endpoint[]): Node {
  const sorted = inOrder(endpoints, (endpoint) => endpoint.workloadUid);
  return new Entries(mapped(sorted, (endpoint) => [endpoint.workloadUid, dumpEndpoint(endpoint)] as const));
}

function* mapped<T, R>(items: Iterable<T | typeof PAUSE>, map: (item: T) => R): Generator<R | typeof PAUSE> {
  for (const item of items) yield item === PAUSE ? PAUSE : map(item);
}
