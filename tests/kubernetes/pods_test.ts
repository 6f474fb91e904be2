/** A real Kubernetes in which many pods come and go while others talk to them. */
import { strict as assert } from "node:assert";
import { eventually } from "../../lab/eventually.ts";
import { testWithKubernetes } from "../../lab/kubernetes/built.ts";
import { dialDuring, runClient } from "../../lab/kubernetes/clients.ts";
import { KubernetesCluster } from "../../lab/kubernetes/cluster.ts";
import { installIstio, installProxy, productImage } from "../../lab/kubernetes/istio.ts";
import {
  disruptionBudget,
  documents,
  NAMESPACE,
  namespace,
  pod,
  PORTS,
  service,
  serviceAccount,
  workload,
} from "../../lab/kubernetes/objects.ts";

const MANY = `many:${PORTS.echo}`;
const PODS = 100;
/** Pods of the node that is drained, and how many of them may be away at a time. */
const DRAINED = 10;
const AWAY = 2;
/** Limit for a hundred pods to be told to end. */
const SCALE_MS = 120_000;
/** A pod ends 5 s after it has left the endpoints, as applications do that want no request to fail. */
const GENTLE = { app: "many", account: "server", grace: 15, preStopSeconds: 5 } as const;

testWithKubernetes({}, "kubernetes: pods are replaced and a node is drained, and no connection fails", async (t) => {
  await using cluster = await KubernetesCluster.start();
  await cluster.kubectl("cordon", "node2"); // no eviction of istiod, whose own budget would hold up the drain
  await installIstio(cluster);
  await cluster.kubectl("uncordon", "node2");
  await installProxy(cluster, await productImage(cluster));
  await cluster.apply(documents(
    namespace(NAMESPACE, true),
    serviceAccount("server"),
    serviceAccount("client"),
    pod("client", { app: "client", node: 1 }),
    service("many"),
    workload("Deployment", "many", GENTLE, { replicas: PODS }),
  ));
  await cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod/client", "--timeout=60s");
  await cluster.rolledOut(NAMESPACE, "deployment/many");
  const dials = (action: () => Promise<unknown>) => dialDuring(cluster, "client", MANY, action);

  await t.step(`${PODS} pods are replaced`, async () => {
    const { good, failed } = await dials(async () => {
      await cluster.kubectl("-n", NAMESPACE, "rollout", "restart", "deployment/many");
      await cluster.rolledOut(NAMESPACE, "deployment/many");
    });
    assert.deepEqual(failed, {});
    assert.ok(good > 0);
  });

  await t.step("a node is drained, with its proxy left in place", async () => {
    await scale(cluster, 0);
    await cluster.kubectl("cordon", "node1");
    await scale(cluster, DRAINED);
    await cluster.kubectl("uncordon", "node1");
    assert.deepEqual(await nodesOf(cluster), new Map([["node2", DRAINED]]));
    await cluster.apply(documents(disruptionBudget("many", { maxUnavailable: AWAY })));
    const { failed } = await dials(async () => {
      await cluster.kubectl(
        "drain",
        "node2",
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--timeout=300s",
        "--force",
      );
      await cluster.rolledOut(NAMESPACE, "deployment/many");
    });
    assert.deepEqual(failed, {});
    assert.deepEqual(await nodesOf(cluster), new Map([["node1", DRAINED]]));
    await cluster.kubectl("uncordon", "node2");
    assert.deepEqual((await runClient(cluster, "client", "dial", MANY, "2", "2")).failed, {});
  });
});

/** Changes the number of pods, and waits until as many are ready and the others end. */
async function scale(cluster: KubernetesCluster, replicas: number): Promise<void> {
  await cluster.kubectl("-n", NAMESPACE, "scale", "deployment/many", `--replicas=${replicas}`);
  const count = async () => [...(await nodesOf(cluster)).values()].reduce((sum, pods) => sum + pods, 0);
  await eventually(`a deployment of ${replicas} pods`, async () => await count() === replicas, () => "", SCALE_MS);
  await cluster.rolledOut(NAMESPACE, "deployment/many");
}

/** Returns how many of the deployment's pods run on each node; those that end are not counted. */
async function nodesOf(cluster: KubernetesCluster): Promise<Map<string, number>> {
  const columns = "custom-columns=E:.metadata.deletionTimestamp,N:.spec.nodeName";
  const output = await cluster.kubectl("-n", NAMESPACE, "get", "pods", "-l", "app=many", "--no-headers", "-o", columns);
  const rows = output.split("\n").filter((line) => line.trim() !== "").map((line) => line.trim().split(/\s+/));
  const nodes = rows.filter(([ends]) => ends === "<none>").map(([, node]) => node!);
  return new Map([...new Set(nodes)].map((node) => [node, nodes.filter((other) => other === node).length]));
}
