/** A real Kubernetes in which a node's proxy has little of something: memory, CPU, descriptors, disk for its log. */
import { strict as assert } from "node:assert";
import { eventually } from "../../lab/eventually.ts";
import { testWithKubernetes } from "../../lab/kubernetes/built.ts";
import { failuresOf, runClient, startClient } from "../../lab/kubernetes/clients.ts";
import { KubernetesCluster } from "../../lab/kubernetes/cluster.ts";
import { installIstio, installProxy, ISTIO_NAMESPACE, productImage, proxyPods } from "../../lab/kubernetes/istio.ts";
import { documents, NAMESPACE, namespace, pod, PORTS, service, serviceAccount } from "../../lab/kubernetes/objects.ts";

const SERVER = `server:${PORTS.echo}`;
const LIMITS = [
  "resources.limits.memory=128Mi",
  "resources.limits.cpu=200m",
  "resources.requests.memory=128Mi",
  "resources.requests.cpu=100m",
];
const CONNECTIONS = 2000;
/** Of the chart. */
const PROXY_GROUP = 1337;
const FULL = "/var/log/full";

testWithKubernetes({}, "kubernetes: a proxy with little memory, CPU, descriptors or disk goes on", async (t) => {
  await using cluster = await KubernetesCluster.start();
  await installIstio(cluster);
  await installProxy(cluster, await productImage(cluster), LIMITS);
  await cluster.apply(documents(
    namespace(NAMESPACE, true),
    serviceAccount("server"),
    serviceAccount("client"),
    pod("server", { app: "server", node: 2 }),
    service("server"),
    pod("client", { app: "client", node: 1 }),
  ));
  await cluster.kubectl("-n", NAMESPACE, "wait", "--for=condition=Ready", "pod", "--all", "--timeout=60s");

  await t.step(`${CONNECTIONS} connections live within 128 MiB and a fifth of a CPU`, async () => {
    const held = await runClient(cluster, "client", "hold", SERVER, "60", `${CONNECTIONS}`, "5000");
    assert.deepEqual(held, { good: CONNECTIONS, failed: {} });
    await assertNoRestart(cluster);
  });

  await t.step("without descriptors new connections are refused, and work again when there are some", async () => {
    const pid = (await cluster.onNode(1, "pgrep", "-f", "proxy ztunnel")).trim().split("\n")[0]!;
    const [soft, hard] = (await prlimit(cluster, pid, "--nofile", "--output=SOFT,HARD", "--noheadings")).trim().split(
      /\s+/,
    );
    await using held = startClient(cluster, "client", "hold", SERVER, "15", "20", "100");
    await eventually(
      "the held connections",
      async () => (await runClient(cluster, "client", "once", SERVER)).good === 1,
    );
    const used = (await cluster.onNode(1, "sh", "-c", `ls /proc/${pid}/fd | wc -l`)).trim();
    await prlimit(cluster, pid, `--nofile=${Number(used) + 20}:${hard}`);
    const crowd = await runClient(cluster, "client", "hold", SERVER, "3", "300", "1000");
    assert.ok(failuresOf(crowd) > 0, "the limit had no effect");
    await prlimit(cluster, pid, `--nofile=${soft}:${hard}`);
    assert.deepEqual(await held.counts(), { good: 20, failed: {} });
    await eventually("a connection", async () => (await runClient(cluster, "client", "once", SERVER)).good === 1);
    await assertNoRestart(cluster);
  });

  await t.step("a full disk for logs stops neither connections nor, once there is space, the log", async () => {
    await cluster.onNode(1, "sh", "-c", `cat /dev/zero > ${FULL} 2>/dev/null; true`);
    assert.deepEqual((await runClient(cluster, "client", "dial", SERVER, "10", "4")).failed, {});
    await cluster.onNode(1, "rm", FULL);
    const name = (await proxyPods(cluster)).get("node1")!;
    const lines = async () => (await cluster.kubectl("-n", ISTIO_NAMESPACE, "logs", name, "--tail=20")).split("\n");
    await eventually("an access log line", async () => {
      const { good } = await runClient(cluster, "client", "once", SERVER);
      const now = Date.now();
      return good === 1 && (await lines()).some((line) => now - Date.parse(line.split("\t")[0] ?? "") < 10_000);
    });
    await assertNoRestart(cluster);
  });
});

/** Reads or changes a limit of a process of node 1. Without the proxy's group that takes one more capability. */
function prlimit(cluster: KubernetesCluster, pid: string, ...args: readonly string[]): Promise<string> {
  return cluster.onNode(1, "setpriv", `--regid=${PROXY_GROUP}`, "--clear-groups", "prlimit", `--pid=${pid}`, ...args);
}

/** No container of a proxy was started a second time. */
async function assertNoRestart(cluster: KubernetesCluster): Promise<void> {
  const path = "jsonpath={.items[*].status.containerStatuses[*].restartCount}";
  const counts = await cluster.kubectl("-n", ISTIO_NAMESPACE, "get", "pods", "-l", "app=ztunnel", "-o", path);
  assert.deepEqual(counts.trim().split(" "), ["0", "0"]);
}
