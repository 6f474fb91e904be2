/** Many pods without traffic: for the proxy they are pods, but each is only a network namespace. */
import { makeNamespace, type Namespace } from "../lab/namespace.ts";
import { run } from "../lab/program.ts";
import type { AgentPod, ZdsSession } from "../lab/zds_agent.ts";
import type { Cluster } from "../lab/bed/cluster.ts";
import { NAMESPACE } from "../lab/bed/mesh.ts";

/** A pod without an application. */
export interface IdlePod extends AgentPod {
  readonly netns: Namespace;
}

/** Makes pods that are removed together with the cluster. */
export async function makeIdlePods(cluster: Cluster, count: number): Promise<IdlePod[]> {
  const pods: IdlePod[] = [];
  for (let i = 0; i < count; i++) {
    const netns = cluster.use(await makeNamespace("idle"));
    const name = `idle-${i}`;
    pods.push({ uid: `pod-${name}`, name, namespace: NAMESPACE, serviceAccount: name, path: netns.path, netns });
  }
  return pods;
}

/** Adds the pods one after another, as agents do. Returns the milliseconds until all were acknowledged. */
export async function addAll(session: ZdsSession, pods: readonly IdlePod[]): Promise<number> {
  const start = performance.now();
  for (const pod of pods) {
    const error = await session.add(pod);
    if (error !== "") throw new Error(`${pod.name}: ${error}`);
  }
  return performance.now() - start;
}

/** Deletes the pods one after another. */
export async function deleteAll(session: ZdsSession, pods: readonly IdlePod[]): Promise<void> {
  for (const { uid, name } of pods) {
    const error = await session.delete(uid);
    if (error !== "") throw new Error(`${name}: ${error}`);
  }
}

/** Ports with a TCP listener in the pod, in ascending order, from `/proc/net/tcp` and `tcp6`. */
export async function listeningPorts(pod: IdlePod): Promise<number[]> {
  const table = await run("ip", "netns", "exec", pod.netns.name, "cat", "/proc/net/tcp", "/proc/net/tcp6");
  const ports = table.split("\n").flatMap((line) => {
    const [, address = "", , state] = line.trim().split(/\s+/);
    return state === "0A" ? [parseInt(address.split(":")[1] ?? "", 16)] : [];
  });
  return [...new Set(ports)].sort((a, b) => a - b);
}
