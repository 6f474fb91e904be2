/**
 * `ztunnel simulate`: what would change if policies were applied, of connections that are open, of those that have ended,
 * and of all pairs that the mesh knows. Decisions are those of `authorize`, for the mesh as it is and as it would be.
 */
import type { UnknownPolicies } from "../policy/authorize.ts";
import type { MeshState } from "../state/state.ts";
import { applyChanges } from "./apply_changes.ts";
import { Changes } from "./change_list.ts";
import { Comparison } from "./comparison.ts";
import type { RecordedCall } from "./flow_calls.ts";
import { comparePairs } from "./pairs.ts";
import type { PolicyChanges } from "./policy_changes.ts";
import type { ChangeList, SimulationResult } from "./result.ts";

/** What a simulation evaluates. Null: there is no such data, or another isolate has it. */
export interface SimulationInput {
  readonly state: MeshState;
  readonly unknownPolicies: UnknownPolicies;
  readonly changes: PolicyChanges;
  readonly open: Iterable<RecordedCall | null> | null;
  readonly ended: Iterable<RecordedCall | null> | null;
  readonly pairs: boolean;
}

/**
 * Evaluates everything. Each yield ends a step of some microseconds, so that the caller can let others run.
 *
 * @throws ConfigError for changes that cannot be applied.
 */
export function* simulate(input: SimulationInput): Generator<void, SimulationResult, undefined> {
  const { state, changes, unknownPolicies } = input;
  const meshes = yield* applyChanges(state, changes);
  const comparison = new Comparison(meshes, unknownPolicies);
  // Policies that are not there do not close an open connection.
  const forOpen = new Comparison(meshes, "skip");
  const connections = input.open === null ? null : yield* compareCalls(input.open, forOpen);
  const flows = input.ended === null ? null : yield* compareCalls(input.ended, comparison);
  const pairs = input.pairs ? yield* comparePairs(state, meshes, comparison) : null;
  return {
    applied: meshes.applied,
    assumptions: meshes.selection.assumptions,
    connections,
    flows,
    pairs: pairs?.list ?? null,
    enumerated: pairs?.enumerated ?? null,
  };
}

/** Null stands for a connection that is skipped. */
function* compareCalls(
  calls: Iterable<RecordedCall | null>,
  comparison: Comparison,
): Generator<void, ChangeList, undefined> {
  const changes = new Changes();
  for (const recorded of calls) {
    yield;
    if (recorded === null) continue;
    const { call, source, id } = recorded;
    if (call === null) {
      changes.list.skipped++;
      continue;
    }
    changes.list.evaluated++;
    const difference = comparison.compare(call);
    if (difference === null) continue;
    const { destination, identity } = call;
    changes.add({
      ...difference,
      source: { identity, workload: source, address: identity === null ? call.source.ip : null, workloads: 1 },
      destinations: [{
        namespace: destination.namespace,
        workload: destination.name,
        workloads: 1,
        ports: [call.target.port],
      }],
      moreDestinations: 0,
      otherPorts: false,
      count: 1,
      ids: id === null ? [] : [id],
    });
  }
  return changes.list;
}
