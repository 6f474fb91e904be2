/** A real Kubernetes whose pods get their certificates from a real SPIRE, which attests by Kubernetes. */
import { strict as assert } from "node:assert";
import { eventually } from "../../lab/eventually.ts";
import { lacksSpire, testWithKubernetes } from "../../lab/kubernetes/built.ts";
import { dialDuring, runClient, startClient } from "../../lab/kubernetes/clients.ts";
import { KubernetesCluster } from "../../lab/kubernetes/cluster.ts";
import { installIstio, installProxy, productImage } from "../../lab/kubernetes/istio.ts";
import { documents, NAMESPACE, namespace, pod, PORTS, service, serviceAccount } from "../../lab/kubernetes/objects.ts";
import { ClusterSpire } from "../../lab/kubernetes/spire.ts";

const SERVER = `server:${PORTS.echo}`;

testWithKubernetes(
  {},
  "kubernetes: pods talk with certificates of SPIRE, while its server and agents are replaced",
  async (t) => {
    await using cluster = await KubernetesCluster.start();
    const spire = await ClusterSpire.start(cluster, `${NAMESPACE}/server`, `${NAMESPACE}/client`);
    await installIstio(cluster);
    const image = await productImage(cluster);
    await installProxy(cluster, { ...image, values: "istio-spire-selectors" });
    await cluster.apply(documents(
      namespace(NAMESPACE, true),
      serviceAccount("server"),
      serviceAccount("client"),
      pod("server", { app: "server", node: 2 }),
      service("server"),
      pod("client", { app: "client", node: 1 }),
    ));
    await cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s");
    await eventually(
      "the first connection",
      async () => (await runClient(cluster, "client", "once", SERVER)).good === 1,
    );

    for (
      const [name, change] of [
        ["the server is replaced", async () => {
          await spire.stopServer();
          await spire.startServer();
        }],
        ["the agents are replaced", () => spire.restartAgents()],
      ] as const
    ) {
      await t.step(name, async () => {
        await using held = startClient(cluster, "client", "hold", SERVER, "20", "10", "100");
        const { good, failed } = await dialDuring(cluster, "client", SERVER, change);
        assert.deepEqual(failed, {});
        assert.ok(good > 0);
        assert.deepEqual(await held.counts(), { good: 10, failed: {} });
      });
    }
  },
  lacksSpire(),
);
