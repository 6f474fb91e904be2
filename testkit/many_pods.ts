/** Many pods at once: bare network namespaces, as far as a proxy is concerned pods that nobody talks to. */
import { makeNamespace, type Namespace } from "../lab/namespace.ts";
import { run } from "../lab/program.ts";
import type { AgentPod, ZdsSession } from "../lab/zds_agent.ts";
import type { Cluster } from "../lab/bed/cluster.ts";
import { NAMESPACE } from "../lab/bed/mesh.ts";

export interface IdlePod extends AgentPod {
  readonly home: Namespace;
}

/** They go with the cluster. */
export async function makeIdlePods(cluster: Cluster, count: number): Promise<IdlePod[]> {
  const pods: IdlePod[] = [];
  for (let i = 0; i < count; i++) {
    const home = cluster.use(await makeNamespace("idle"));
    const name = `idle-${i}`;
    pods.push({ uid: `pod-${name}`, name, namespace: NAMESPACE, serviceAccount: name, path: home.path, home });
  }
  return pods;
}

/** Milliseconds until all of them were acknowledged, one after the other as agents do it. */
export async function addAll(session: ZdsSession, pods: readonly IdlePod[]): Promise<number> {
  const start = performance.now();
  for (const pod of pods) {
    const error = await session.add(pod);
    if (error !== "") throw new Error(`${pod.name}: ${error}`);
  }
  return performance.now() - start;
}

export async function deleteAll(session: ZdsSession, pods: readonly IdlePod[]): Promise<void> {
  for (const { uid, name } of pods) {
    const error = await session.delete(uid);
    if (error !== "") throw new Error(`${name}: ${error}`);
  }
}

/** Ports on which something listens in the pod, rising, by the kernel's tables. */
export async function listeningPorts(pod: IdlePod): Promise<number[]> {
  const table = await run("ip", "netns", "exec", pod.home.name, "cat", "/proc/net/tcp", "/proc/net/tcp6");
  const ports = table.split("\n").flatMap((line) => {
    const [, address = "", , state] = line.trim().split(/\s+/);
    return state === "0A" ? [parseInt(address.split(":")[1] ?? "", 16)] : [];
  });
  return [...new Set(ports)].sort((a, b) => a - b);
}
