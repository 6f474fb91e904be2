/**
 * Compares the pods that the agent has enrolled with the state of the main isolate and of every worker, and returns the
 * differences.
 *
 * The states are read one after the other while pods are added and removed. Therefore the state of main is read before
 * and after those of the workers, and only pods that are the same in both are compared.
 */
import type { PodState } from "./pod_registry.ts";

/** The state in main of one attempt to serve a pod. */
export interface InstanceState {
  readonly instance: number;
  readonly uid: string;
  /** The identity of the pod's network namespace. */
  readonly namespace: string;
  /** The numbers of the workers that serve it; null while it starts or stops. */
  readonly up: readonly number[] | null;
}

/** The state of one instance in one worker. `namespace`: of its descriptor; null: none. `faults`: for the log. */
export interface FoundPod {
  readonly instance: number;
  readonly namespace: string | null;
  readonly faults: readonly string[];
}

/** The state of the main isolate. */
export interface AuditState {
  readonly pods: readonly PodState[];
  readonly instances: readonly InstanceState[];
  /** The highest instance number so far; workers may know higher ones that were added later. */
  readonly lastInstance: number;
}

/** One difference, for the log. */
export interface Difference {
  /** Null: an instance without a known pod. */
  readonly uid: string | null;
  readonly text: string;
}

/** Returns the differences. `before`, `after`: the state of main. `found`: by the number of the worker. */
export function findDifferences(
  before: AuditState,
  found: readonly (readonly FoundPod[])[],
  after: AuditState,
): Difference[] {
  const settled = before.instances.filter((instance) => isSettled(instance, after));
  return [
    ...notServed(before, after),
    ...settled.flatMap((instance) => atWorkers(instance, found)),
    ...unknownInstances(before, found, after),
  ];
}

function isSettled({ instance, up }: InstanceState, after: AuditState): boolean {
  const later = after.instances.find((other) => other.instance === instance);
  return up !== null && later !== undefined && later.up !== null;
}

function notServed(before: AuditState, after: AuditState): Difference[] {
  const served = (state: AuditState, { uid, namespace }: PodState) =>
    state.instances.some((instance) => instance.uid === uid && instance.namespace === namespace);
  const remains = ({ uid, namespace }: PodState) =>
    after.pods.some((pod) => pod.uid === uid && pod.namespace === namespace);
  return before.pods
    .filter((pod) => pod.state === "Up" && remains(pod) && !served(before, pod) && !served(after, pod))
    .map(({ uid }) => ({ uid, text: "enrolled, but nothing serves it" }));
}

function atWorkers({ instance, uid, namespace, up }: InstanceState, found: readonly (readonly FoundPod[])[]) {
  return (up ?? []).flatMap((worker): Difference[] => {
    const here = found[worker]?.find((pod) => pod.instance === instance);
    if (here === undefined) return [{ uid, text: `worker ${worker} does not have it` }];
    const texts = [...here.faults];
    if (here.namespace !== namespace) {
      texts.push(`its namespace is ${namespace}, but ${here.namespace ?? "none"} is behind the descriptor`);
    }
    return texts.map((text) => ({ uid, text: `worker ${worker}: ${text}` }));
  });
}

function unknownInstances(
  { instances, lastInstance }: AuditState,
  found: readonly (readonly FoundPod[])[],
  after: AuditState,
) {
  const known = new Set([...instances, ...after.instances].map(({ instance }) => instance));
  return found.flatMap((pods, worker) =>
    pods.filter(({ instance }) => instance <= lastInstance && !known.has(instance))
      .map(({ instance }): Difference => ({
        uid: null,
        text: `worker ${worker} serves instance ${instance}, which is not enrolled`,
      }))
  );
}
