/** Finds the client that `--from` names. */
import { type Ip, parseIp } from "../../net/address.ts";
import type { ExplainError, ExplainSettings } from "./explanation.ts";
import { type Workload, workloadUid } from "../model/model.ts";
import { nearNames } from "./near_names.ts";
import type { MeshState } from "../state/state.ts";

/** The client that was found. */
interface FoundSource {
  readonly kind: "source";
  /** Null: the address is of no workload of the mesh. */
  readonly workload: Workload | null;
  /** Null: any address of the workload. */
  readonly ip: Ip | null;
}

/** A question that cannot be answered as it was typed. */
export interface Mistake {
  readonly kind: "mistake";
  readonly error: ExplainError;
}

/** Candidates listed at most. */
const MAX_LISTED = 10;

/** Finds the client by address, by uid, or by `namespace/name` or `name` of a pod or of its workload. */
export function findSource(state: MeshState, settings: ExplainSettings, text: string): FoundSource | Mistake {
  const ip = parseIp(text.replace(/^\[(.*)\]$/, "$1"));
  if (ip !== null) return { kind: "source", workload: state.workloadByAddress(settings.network, ip), ip };
  const known = state.workload(workloadUid(text));
  if (known !== null) return { kind: "source", workload: known, ip: null };
  const [name = "", namespace = null] = text.split("/").reverse();
  if (name === "" || text.split("/").length > 2) {
    const message = `"${text}" names no workload: write namespace/name, its uid or its address`;
    return mistake("BAD_SOURCE", message);
  }
  const found = workloadsNamed(state, namespace, name);
  const [only] = found;
  if (only !== undefined && found.length === 1) return { kind: "source", workload: only, ip: null };
  if (found.length > 1) {
    return mistake("AMBIGUOUS_SOURCE", `"${text}" may be any of ${found.length} workloads`, listed(found));
  }
  return mistake("UNKNOWN_SOURCE", `there is no workload "${text}"`, nearWorkloads(state, namespace, name));
}

/** Pods of this name; where there are none, pods of a workload (such as a Deployment) of this name. */
function workloadsNamed(state: MeshState, namespace: string | null, name: string): Workload[] {
  const byName: Workload[] = [];
  const byWorkloadName: Workload[] = [];
  for (const workload of state.workloadsNamed(namespace, name)) {
    (workload.name === name ? byName : byWorkloadName).push(workload);
  }
  return byName.length > 0 ? byName : byWorkloadName;
}

/** Texts that name each of them in a question: `namespace/name`, or the uids where such names are not unique. */
function listed(workloads: readonly Workload[]): string[] {
  const names = workloads.map(nameOf);
  const apart = new Set(names).size === names.length;
  const all = (apart ? names : workloads.map(({ uid }) => uid)).sort();
  return all.length <= MAX_LISTED ? all : [...all.slice(0, MAX_LISTED), `and ${all.length - MAX_LISTED} more`];
}

/** Names similar to what was typed; first from the namespace that was typed. */
export function nearWorkloads(state: MeshState, namespace: string | null, name: string): string[] {
  const inside = namespace === null ? [] : nearNames(name, state.workloadsNamed(namespace, null), (each) => each.name);
  const near = inside.length > 0
    ? inside
    : namespace === null
    ? nearNames(name, state.workloads(), (each) => each.name)
    : nearNames(`${namespace}/${name}`, state.workloads(), nameOf);
  return [...new Set(near.map(nameOf))];
}

function nameOf({ namespace, name }: Workload): string {
  return `${namespace}/${name}`;
}

/** Makes a {@link Mistake}. */
export function mistake(code: ExplainError["code"], message: string, candidates: readonly string[] = []): Mistake {
  return { kind: "mistake", error: { code, message, candidates } };
}
