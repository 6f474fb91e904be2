/** A real Kubernetes in which many pods come and go while others talk to them. */
import { strict as assert } from "node:assert";
import { testWithKubernetes } from "../../lab/kubernetes/built.ts";
import { dialDuring, runClient } from "../../lab/kubernetes/clients.ts";
import { KubernetesCluster } from "../../lab/kubernetes/cluster.ts";
import { installIstio, installProxy, productImage } from "../../lab/kubernetes/istio.ts";
import {
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
/** A pod ends 5 s after it has left the endpoints, as applications do that want no request to fail. */
const GENTLE = { app: "many", account: "server", grace: 15, preStopSeconds: 5 } as const;

testWithKubernetes({}, "kubernetes: pods are replaced and a node is drained, and no connection fails", async (t) => {
  await using cluster = await KubernetesCluster.start();
  await installIstio(cluster);
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
    await cluster.kubectl("-n", NAMESPACE, "scale", "deployment/many", "--replicas=10");
    await cluster.rolledOut(NAMESPACE, "deployment/many");
    const { failed } = await dials(async () => {
      await cluster.kubectl(
        "drain",
        "node2",
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--timeout=100s",
        "--force",
      );
      await cluster.rolledOut(NAMESPACE, "deployment/many");
    });
    assert.deepEqual(failed, {});
    await cluster.kubectl("uncordon", "node2");
    assert.deepEqual((await runClient(cluster, "client", "dial", MANY, "2", "2")).failed, {});
  });
});
