/**
 * Faulty agents (`docs/spec/inpod-dns.md` A1.9, A1.12): whatever they do, pods are served as before, nothing leaks, and
 * the next correct agent can work.
 */
import { strict as assert } from "node:assert";
import { istio } from "../proto/gen/zds.js";
import { get, nginx } from "../lab/bed/apps.ts";
import { type BedNode, Cluster } from "../lab/bed/cluster.ts";
import { testNeeding } from "../lab/needs.ts";
import { eventually } from "../lab/eventually.ts";

const NEEDS = { namespaces: true, packages: ["curl", "iptables", "nginx"] } as const;
const PODS = [{ name: "client", node: 1 }, { name: "server", node: 1 }] as const;
/** More than the buffer of any socket. */
const FLOOD = 100_000;

async function readiness({ proxy, namespace }: BedNode): Promise<number> {
  const { port } = await proxy.place("readiness");
  const ask = ["-s", "-o", "/dev/null", "-w", "%{http_code}", `http://127.0.0.1:${port}/healthz/ready`];
  return Number(await namespace.run("curl", ...ask));
}

/** Acts like an agent that has the node's pods. */
async function recover(cluster: Cluster, node: BedNode): Promise<void> {
  node.session = await node.agent.session();
  for (const pod of cluster.podsOf(node)) assert.equal(await node.session.keep(pod.uid), "");
  assert.equal(await node.session.snapshotSent(), "");
  assert.equal(await readiness(node), 200);
}

testNeeding(NEEDS, "inpod A1.9: a silent agent: the proxy is not ready, and pods are served as before", async () => {
  await using cluster = await Cluster.build({ pods: PODS });
  const [client, server] = [cluster.pod("client"), cluster.pod("server")];
  const { node } = client;
  await nginx(cluster, server.namespace, "server");
  node.agent.vanish();
  node.agent.listen();
  const silent = await node.agent.session();
  assert.equal(await readiness(node), 500);
  assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
  silent.close();
  await recover(cluster, node);
  assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
});

testNeeding(
  NEEDS,
  "inpod A1.9: an agent that floods and reads no answer is disconnected, with one line; pods are not affected",
  async () => {
    await using cluster = await Cluster.build({ pods: PODS });
    const [client, server] = [cluster.pod("client"), cluster.pod("server")];
    const { node } = client;
    await nginx(cluster, server.namespace, "server");
    const before = node.proxy.descriptors;
    const flood = node.session;
    const request = istio.workload.zds.WorkloadRequest.encode({ del: { uid: "nobody" } }).finish();
    await eventually("the end of the connection", () => !flood.floods(request, FLOOD));
    await node.proxy.line(/process stream ended: SendAckError\("Resource temporarily unavailable/);
    flood.close();
    await recover(cluster, node);
    assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
    const ended = node.proxy.lines.filter(({ message }) => message.startsWith("process stream ended"));
    assert.equal(ended.length, 1);
    await node.proxy.descriptorsBackTo(before + TUNNELS);
  },
);

/** Both ends of one for each direction. */
const TUNNELS = 4;
