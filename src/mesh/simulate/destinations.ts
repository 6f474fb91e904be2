/** Where connections may lead: workloads whose proxies enforce the same policies, in groups. */
import type { Policy, Workload, WorkloadUid } from "../model/model.ts";
import type { CompiledPolicy } from "../policy/matcher.ts";
import type { PolicySet } from "../policy/store.ts";
import type { MeshState } from "../state/state.ts";
import type { TwoMeshes } from "./apply_changes.ts";

/** Workloads of one Deployment or the like. */
export interface Member {
  readonly namespace: string;
  /** The name of the Deployment, or of the workload where there is none. */
  readonly name: string;
  readonly workloads: Workload[];
  /** Ports of the application that services lead to. */
  readonly ports: Set<number>;
}

/** Workloads with the same policies, now and afterwards. */
export interface DestinationGroup {
  readonly policies: readonly Policy[];
  readonly members: Member[];
}

/** Groups the workloads whose policies change. */
export class Destinations {
  readonly #meshes: TwoMeshes;
  readonly #groups = new Map<string, DestinationGroup | null>();
  /** By the group's key, namespace and name. */
  readonly #members = new Map<string, Member>();
  readonly #memberOf = new Map<WorkloadUid, Member>();
  workloads = 0;

  constructor(meshes: TwoMeshes) {
    this.#meshes = meshes;
  }

  /** The number of groups, also of those whose policies stay the same. */
  get groups(): number {
    return this.#groups.size;
  }

  /** The groups whose policies change. */
  get changed(): readonly DestinationGroup[] {
    return [...this.#groups.values()].filter((group) => group !== null);
  }

  add(workload: Workload): void {
    // Without a proxy of this mesh no policy is enforced; waypoints decide by their own.
    if (workload.protocol === "TCP" || workload.nativeTunnel || workload.workloadIps.length === 0) return;
    this.workloads++;
    const { before, after, selection } = this.#meshes;
    const then = selection.after(workload);
    const { namespace } = workload;
    const hasOwn = before.keysOfNamespace(namespace).length + after.keysOfNamespace(namespace).length > 0;
    const key = JSON.stringify([hasOwn ? namespace : "", workload.authorizationPolicies, then.authorizationPolicies]);
    let group = this.#groups.get(key);
    if (group === undefined) {
      group = groupOf(before.forWorkload(workload), after.forWorkload(then));
      this.#groups.set(key, group);
    }
    if (group === null) return;
    const name = workload.workloadName === "" ? workload.name : workload.workloadName;
    const place = `${key} ${namespace}/${name}`;
    let member = this.#members.get(place);
    if (member === undefined) {
      member = { namespace, name, workloads: [], ports: new Set() };
      this.#members.set(place, member);
      group.members.push(member);
    }
    member.workloads.push(workload);
    this.#memberOf.set(workload.uid, member);
  }

  /** Adds the ports that services lead to. To be called when all workloads are there. */
  *addPorts(state: MeshState): Generator<void, void, undefined> {
    if (this.#memberOf.size === 0) return;
    for (const { endpoints, service } of state.services()) {
      for (const { workloadUid, ports } of [...endpoints.values()]) {
        const member = this.#memberOf.get(workloadUid);
        if (member !== undefined) {
          for (const [port, target] of service.ports) addPort(member.ports, ports.get(port) ?? target);
        }
        yield;
      }
      yield;
    }
  }
}

/** 0 stands for a port that is not known. */
function addPort(ports: Set<number>, port: number): void {
  if (port !== 0) ports.add(port);
}

/** Null: the policies stay the same. */
function groupOf(before: PolicySet, after: PolicySet): DestinationGroup | null {
  const [now, then] = [enforcedOf(before), enforcedOf(after)];
  const same = now.length === then.length && now.every((one) => then.some((other) => other.policy === one.policy)) &&
    before.unknown.join() === after.unknown.join();
  return same ? null : { policies: [...new Set([...now, ...then].map(({ policy }) => policy))], members: [] };
}

function enforcedOf({ deny, allow }: PolicySet): readonly CompiledPolicy[] {
  return [...deny, ...allow];
}
