/** A real Kubernetes in which proxies and control planes are replaced while pods talk: no new connection fails. */
import { strict as assert } from "node:assert";
import { testWithKubernetes } from "../../lab/kubernetes/built.ts";
import { type Counts, dialDuring, runClient, startClient } from "../../lab/kubernetes/clients.ts";
import { KubernetesCluster } from "../../lab/kubernetes/cluster.ts";
import {
  installIstio,
  installProxy,
  productImage,
  type ProxyImage,
  restart,
  rollBackProxy,
  rustImage,
} from "../../lab/kubernetes/istio.ts";
import { documents, NAMESPACE, namespace, pod, PORTS, service, serviceAccount } from "../../lab/kubernetes/objects.ts";

const SERVER = `server:${PORTS.echo}`;
/** Shorter than the proxies' grace period of 30 s, in which held connections go on. */
const HELD_SECONDS = "20";

const OBJECTS = documents(
  namespace(NAMESPACE, true),
  ...["server", "client"].map((name) => serviceAccount(name)),
  pod("server", { app: "server", node: 2 }),
  service("server"),
  pod("client", { app: "client", node: 1 }),
);

interface Started {
  readonly cluster: KubernetesCluster;
  readonly image: ProxyImage;
}

/** A cluster with a server on one node and a client on the other. */
async function start(makeImage: (cluster: KubernetesCluster) => Promise<ProxyImage>): Promise<Started> {
  const cluster = await KubernetesCluster.start();
  try {
    const image = await makeImage(cluster);
    await installIstio(cluster);
    await installProxy(cluster, image);
    await cluster.apply(OBJECTS);
    await cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s");
    return { cluster, image };
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

/** At least one worked, and none failed. */
function assertNoneFailed({ good, failed }: Counts): void {
  assert.deepEqual(failed, {});
  assert.ok(good > 0);
}

testWithKubernetes({}, "kubernetes: proxies and control planes are replaced, and no connection fails", async (t) => {
  const { cluster: started, image } = await start(productImage);
  await using cluster = started;
  const dials = (action: () => Promise<unknown>) => dialDuring(cluster, "client", SERVER, action);

  await t.step("the DaemonSet is rolled while connections live", async () => {
    await using held = startClient(cluster, "client", "hold", SERVER, HELD_SECONDS, "30", "100");
    assertNoneFailed(await dials(() => restart(cluster, "daemonset/ztunnel")));
    assert.deepEqual(await held.counts(), { good: 30, failed: {} });
  });

  await t.step("istiod is replaced", async () => {
    await using held = startClient(cluster, "client", "hold", SERVER, HELD_SECONDS, "30", "100");
    assertNoneFailed(await dials(() => restart(cluster, "deployment/istiod")));
    assert.deepEqual(await held.counts(), { good: 30, failed: {} });
  });

  await t.step("a second control plane takes over, by its revision", async () => {
    await installIstio(cluster, "next");
    assertNoneFailed(await dials(() => installProxy(cluster, image, ["revision=next"])));
    const address = await cluster.kubectl("-n", "istio-system", "get", "daemonset", "ztunnel", "-o", "yaml");
    assert.match(address, /istiod-next\.istio-system\.svc:15012/);
    assertNoneFailed(await dials(() => cluster.kubectl("-n", "istio-system", "delete", "deployment", "istiod")));
    assertNoneFailed(await runClient(cluster, "client", "dial", SERVER, "2", "2"));
  });
});

testWithKubernetes(
  { env: ["ZTUNNEL_PEER"] },
  "kubernetes: nodes change from Istio's ztunnel to this one by helm upgrade, and back by helm rollback",
  async (t) => {
    const rust = Deno.env.get("ZTUNNEL_PEER")!;
    const started = await start((cluster) => rustImage(cluster, rust));
    await using cluster = started.cluster;
    const ours = await productImage(cluster);
    for (
      const [name, change] of [
        ["to this proxy", () => installProxy(cluster, ours)],
        ["back to Istio's", () => rollBackProxy(cluster)],
      ] as const
    ) {
      await t.step(name, async () => {
        await using held = startClient(cluster, "client", "hold", SERVER, HELD_SECONDS, "30", "100");
        assertNoneFailed(await dialDuring(cluster, "client", SERVER, change));
        assert.deepEqual(await held.counts(), { good: 30, failed: {} });
      });
    }
  },
);
