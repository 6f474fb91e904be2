/**
 * Whether what is served is what the agent enrolled: its pods, what main has of them, and what every worker finds when
 * it looks. Values in, differences out.
 *
 * Main and workers are asked one after the other, and pods come and go meanwhile. So main is asked before and after,
 * and only what was the same both times is judged.
 */
import type { PodState } from "./pod_registry.ts";

/** What main has of one attempt to serve a pod. */
export interface InstanceState {
  readonly instance: number;
  readonly uid: string;
  /** Identity of the namespace. */
  readonly namespace: string;
  /** Numbers of the workers where it is up; null while that changes. */
  readonly up: readonly number[] | null;
}

/** What one worker finds of one instance. */
export interface FoundPod {
  readonly instance: number;
  readonly namespace: string | null;
  readonly faults: readonly string[];
}

export interface Books {
  readonly pods: readonly PodState[];
  readonly instances: readonly InstanceState[];
  /** Higher instances have come later. */
  readonly lastInstance: number;
}

export interface Difference {
  /** Null: of no pod that is known. */
  readonly uid: string | null;
  readonly text: string;
}

/** `found`: by the number of the worker. */
export function compareBooks(before: Books, found: readonly (readonly FoundPod[])[], after: Books): Difference[] {
  const settled = before.instances.filter((instance) => isSettled(instance, after));
  return [
    ...enrolledButNotServed(before, after),
    ...settled.flatMap((instance) => atWorkers(instance, found)),
    ...strays(before, found, after),
  ];
}

function isSettled({ instance, up }: InstanceState, after: Books): boolean {
  const later = after.instances.find((other) => other.instance === instance);
  return up !== null && later !== undefined && later.up !== null;
}

function enrolledButNotServed(before: Books, after: Books): Difference[] {
  const served = (books: Books, { uid, namespace }: PodState) =>
    books.instances.some((instance) => instance.uid === uid && instance.namespace === namespace);
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

function strays({ instances, lastInstance }: Books, found: readonly (readonly FoundPod[])[], after: Books) {
  const known = new Set([...instances, ...after.instances].map(({ instance }) => instance));
  return found.flatMap((pods, worker) =>
    pods.filter(({ instance }) => instance <= lastInstance && !known.has(instance))
      .map(({ instance }): Difference => ({
        uid: null,
        text: `worker ${worker} serves instance ${instance}, which nobody enrolled`,
      }))
  );
}
