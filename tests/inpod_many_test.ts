/** Two hundred pods on one node: all are served, added and removed during traffic, and everything is released. */
import { strict as assert } from "node:assert";
import { get, nginx } from "../lab/bed/apps.ts";
import { Cluster } from "../lab/bed/cluster.ts";
import { addAll, deleteAll, type IdlePod, listeningPorts, makeIdlePods } from "../testkit/many_pods.ts";
import { HTTP } from "../lab/bed/mesh.ts";
import { testNeeding } from "../lab/needs.ts";
import { run } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";

const NEEDS = { namespaces: true, packages: ["iptables", "nginx"] } as const;
const COUNT = 200;
/** Descriptors of a pod: its namespace, and three listeners for each worker. */
const descriptorsPerPod = (workers: number) => 1 + 3 * workers;
/** Descriptors of connections in progress. */
const SLACK = 16;

for (const workers of [1, 2]) {
  testNeeding(
    NEEDS,
    `inpod: ${COUNT} pods, served by ${workers} worker(s), are added and removed during traffic; all descriptors are released`,
    async () => {
      await cacheProgram("tests/fixtures/connector.ts");
      await using cluster = await Cluster.build({
        pods: [{ name: "client", node: 1 }, { name: "server", node: 1 }],
        env: { ZTUNNEL_WORKER_THREADS: `${workers}`, RUST_LOG: "info,access=error" },
      });
      const [client, server] = [cluster.pod("client"), cluster.pod("server")];
      const { proxy, session } = client.node;
      await nginx(cluster, server.namespace, "server");
      const pods = await makeIdlePods(cluster, COUNT);
      const before = proxy.descriptors;
      await addAll(session, pods);
      assert.equal(proxy.descriptors - before, COUNT * descriptorsPerPod(workers));
      for (const pod of [pods[0]!, pods[COUNT - 1]!]) {
        assert.deepEqual(await listeningPorts(pod), [15001, 15006, 15008]);
      }

      const listeners = proxy.lines.filter(({ message }) => message === "listener established");
      const inbound = listeners.filter(({ fields }) => fields.get("component") === "inbound");
      assert.equal(inbound.length, COUNT + 2, "each pod's is logged once, however many workers have it");

      const caller = cluster.use(
        Proxy.fixture("tests/fixtures/connector.ts", [server.ip, `${HTTP}`, "2"], client.namespace.name),
      );
      await caller.line(/^500 done$/);
      const full = proxy.descriptors;
      for (const pod of pods) {
        await deleteAll(session, [pod]);
        await addAll(session, [pod]);
      }
      caller.signal("SIGUSR2");
      const [, json = ""] = await caller.line(/^(\{.*\})$/);
      assert.deepEqual(JSON.parse(json).failures, {});
      await proxy.descriptorsBackTo(full + SLACK);

      await deleteAll(session, pods);
      await proxy.descriptorsBackTo(before + SLACK);
      assert.deepEqual(await listeningPorts(pods[0]!), []);
      assert.deepEqual(proxy.lines.filter(({ level }) => level === "error"), []);
    },
  );
}

testNeeding(
  NEEDS,
  "inpod N9, N10: a pod without IPv6, and one whose namespace vanishes before its Del; others are not affected",
  async () => {
    await using cluster = await Cluster.build({
      pods: [{ name: "client", node: 1 }, { name: "server", node: 1 }],
      env: { ZTUNNEL_WORKER_THREADS: "1", ISTIO_META_DNS_CAPTURE: "true" },
    });
    const [client, server] = [cluster.pod("client"), cluster.pod("server")];
    const { proxy, session } = client.node;
    await nginx(cluster, server.namespace, "server");
    const before = proxy.descriptors;
    const [old, vanishing] = await makeIdlePods(cluster, 2) as [IdlePod, IdlePod];
    await old.netns.run("sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6");
    await addAll(session, [old, vanishing]);
    assert.deepEqual(await listeningPorts(old), [15001, 15006, 15008, 15053]);
    const [four, six] = [2, 4]; // DNS: UDP and TCP for each family
    assert.equal(proxy.descriptors - before, 2 * descriptorsPerPod(1) + four + six);
    await run("ip", "netns", "del", vanishing.netns.name);
    assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
    await deleteAll(session, [old, vanishing]);
    await proxy.descriptorsBackTo(before + 2); // both ends of the tunnel
    // The end of the cluster removes it, so it must exist.
    await run("ip", "netns", "add", vanishing.netns.name);
  },
);
