/**
 * A pod of a StatefulSet is recreated under its name while istiod is away. Istiod and the node agent are the real ones;
 * `tests/inpod_return_test.ts` has more cases with a scripted control plane.
 */
import { strict as assert } from "node:assert";
import { failure, get, nginx } from "../../lab/bed/apps.ts";
import { CniCluster, type PodInMesh } from "../../lab/istio/cni_cluster.ts";
import { testWithCni } from "../../lab/istio/cni.ts";
import { eventually } from "../../lab/eventually.ts";
import type { Proxy } from "../../lab/proxy.ts";

const NEEDS = { namespaces: true, packages: ["curl", "dig", "iptables", "nginx"] } as const;
const PODS = [
  { name: "db-0", node: 1 },
  { name: "other", node: 1 },
  { name: "server", node: 2, serves: true },
] as const;

/** Istiod is killed; resolves when the proxy has noticed it. */
async function istiodLeaves({ istiod }: CniCluster, proxy: Proxy): Promise<void> {
  const error = /XDS client connection error/;
  const before = proxy.program.printed.filter((line) => error.test(line)).length;
  await istiod.stop();
  await proxy.program.matches(error, before + 1);
}

/** The status of the answer to a question from this pod, which the proxy answers. */
async function dnsStatus({ namespace }: PodInMesh): Promise<string> {
  const answer = await namespace.run("dig", "+tries=1", "+time=4", "@192.0.2.53", "A", "localhost");
  return /status: (\w+)/.exec(answer)?.[1] ?? answer;
}

testWithCni(
  NEEDS,
  "cni return: a pod recreated while istiod is away is served until istiod confirms or ends it",
  async () => {
    await using cluster = await CniCluster.build({
      pods: PODS,
      rules: "iptables",
      env: { ISTIO_META_DNS_CAPTURE: "true" },
    });
    const [before, other, server] = PODS.map(({ name }) => cluster.pod(name)) as [PodInMesh, PodInMesh, PodInMesh];
    const { agent, proxy } = before.node;
    for (const { namespace, name } of [other, server]) await nginx(cluster, namespace, name);
    assert.equal(await get(before.namespace, server.ip), `server from ${before.ip}`);

    await istiodLeaves(cluster, proxy);
    assert.equal(await agent.end(before.agentPod), "");
    const again = await cluster.makeSandbox("db-0", before.node);
    await nginx(cluster, again.namespace, "db-0");
    // Kubernetes gives the recreated pod another uid.
    const second = { ...again.agentPod, uid: "uid-of-the-second-db-0" };
    assert.equal(await agent.add(second), "");
    await proxy.line(/the pod is served as .*Pod.*db-0 because the node's agent says so/);
    assert.equal(await get(again.namespace, server.ip), `server from ${again.ip}`);
    assert.equal(await get(other.namespace, again.ip), `db-0 from ${other.ip}`);
    assert.equal(await dnsStatus(again), "NOERROR");
    await cluster.istiod.restart({ applied: cluster.podObject(again) });
    await proxy.line(/the control plane confirms the workload of this pod/);
    assert.equal(await get(again.namespace, server.ip), `server from ${again.ip}`);
    await eventually("its new address on the other node", async () => await failure(server.namespace, again.ip) === 0);

    await istiodLeaves(cluster, proxy);
    assert.equal(await agent.end(second), "");
    assert.equal(await agent.end(other.agentPod), "");
    // The agent passes another pod's new namespace under the name of `db-0`.
    const stranger = await cluster.makeSandbox("other", other.node);
    const wrong = { ...second, uid: "uid-of-the-third-db-0", netns: stranger.namespace.path };
    assert.equal(await agent.add(wrong), "");
    await proxy.program.matches(/the pod is served as .*Pod.*db-0 because the node's agent says so/, 2);
    assert.equal(await get(stranger.namespace, server.ip), `server from ${stranger.ip}`);
    await cluster.istiod.restart();
    await proxy.line(
      /nothing is served for this pod any more, and its connections are cut: the control plane answers again/,
    );
    assert.notEqual(await failure(stranger.namespace, server.ip), 0);
  },
);
