/**
 * Pods, Istio's node agent and proxies come and go; the agent and istiod are the real ones. The proxy of node 1 is ours;
 * on node 2 runs ours or the Rust ztunnel.
 */
import { strict as assert } from "node:assert";
import { failure, get, nginx } from "../bed/apps.ts";
import { NAMESPACE, SERVICE } from "../bed/mesh.ts";
import { testWithCni } from "../support/cni.ts";
import { reference } from "../support/istiod_objects.ts";
import { eventually } from "../support/patience.ts";
import { cacheProgram, Proxy } from "../support/proxy.ts";
import { CniCluster, enroll, type NodeWithAgent, type PodInMesh, podObject } from "./cni_cluster.ts";

const NEEDS = { namespaces: true, packages: ["curl", "iptables", "nginx"] } as const;
const APP = "tests/fixtures/tcp_app.ts", CLIENT = "tests/fixtures/tcp_client.ts", APP_PORT = 7000;

const RUST = Deno.env.get("ZTUNNEL_PEER");
const CASES = [
  { far: "ours", env: [], executable: () => undefined },
  {
    far: "the Rust ztunnel",
    env: ["ZTUNNEL_PEER"],
    executable: (node: number) => node === 2 ? RUST : undefined,
  },
] as const;

for (const { far: who, env, executable } of CASES) {
  testWithCni({ ...NEEDS, env }, `cni lifecycle: on the other node ${who}`, async (t) => {
    await cacheProgram(APP, CLIENT);
    const pods = { client: 1, near: 1, late: 1, server: 2 };
    await using cluster = await CniCluster.build({ pods, rules: "iptables", executable });
    const [client, near, late, far] = cluster.pods as [PodInMesh, PodInMesh, PodInMesh, PodInMesh];
    const { node } = client;
    const { agent } = node;
    for (const { namespace, name } of [near, late, far]) await nginx(cluster, namespace, name);
    const app = cluster.use(Proxy.fixture(APP, ["::", `${APP_PORT}`], far.namespace.name));
    await app.line(/listening/);
    const hold = async () => {
      const args = [far.ip, `${APP_PORT}`, "hold", "hold"];
      const program = cluster.use(Proxy.fixture(CLIENT, args, client.namespace.name));
      await program.line(/connected/);
      return program;
    };
    const answers = async (to: PodInMesh) =>
      assert.equal(await get(client.namespace, to.ip), `${to.name} from ${client.ip}`);
    const refuses = (to: PodInMesh) =>
      eventually(`a refusal by ${to.name}`, async () => await failure(client.namespace, to.ip) !== 0);

    await t.step(
      "a pod ends: neither agent nor istiod knows it any more; comes back; others do not notice",
      async () => {
        const held = await hold();
        await cluster.istiod.delete(reference("Pod", "server", NAMESPACE));
        assert.equal(await far.node.agent.forget(far.known), "");
        await held.line(/^(end|reset)$/);
        await refuses(far);
        assert.notEqual(await failure(client.namespace, SERVICE.ip, SERVICE.port), 0);
        await answers(near);
        await cluster.istiod.apply(podObject(far));
        await enroll(far);
        await eventually("an answer", async () => await failure(client.namespace, SERVICE.ip, SERVICE.port) === 0);
        await answers(far);
      },
    );

    await t.step(
      "a pod that cannot be served: the agent gets the reason, the proxy tries again, others go on",
      async () => {
        assert.equal(await agent.forget(late.known), "");
        // It has had no connections yet, which would be in the way of another listener.
        const squatter = cluster.use(Proxy.fixture(APP, ["0.0.0.0", "15008"], late.namespace.name));
        await squatter.line(/listening/);
        const reason = /^got ack error: failure to start proxy : .*\[::\]:15008.*Address already in use/;
        assert.match(await agent.add(late.known), reason);
        assert.match(await agent.add(late.known), reason, "as an agent tries again");
        assert.equal((await agent.pods())[late.known.uid], true, "the agent keeps it for the next proxy");
        await answers(far);
        await squatter.stop();
        await node.proxy.line(/retrying workload.*uid="uid-of-late"/);
        await eventually("late's proxy", async () => await failure(client.namespace, late.ip) === 0);
        assert.equal(await agent.add(late.known), "", "the agent's retry finds it served");
        await answers(late);
      },
    );

    await t.step("the agent is killed: pods are served meanwhile, and its next snapshot decides", async () => {
      const held = await hold();
      await agent.kill();
      await node.proxy.line(/failed to connect to the Istio CNI node agent/);
      await eventually("readiness to end", async () => await readiness(node) === 500);
      await answers(near);
      await answers(far);
      // It has not found the client's namespace, and the others are gone from its node.
      await agent.start([{ ...client.known, netns: "" }]);
      await agent.line(/netns is not available for pod, sending 'keep' to ztunnel.*uid-of-client/);
      await agent.line(/snapshot sent to ztunnel/);
      await eventually("readiness", async () => await readiness(node) === 200);
      await refuses(near);
      await refuses(late);
      await answers(far);
      assert.deepEqual(held.printed, ["connected"], "what was open is open");
      held.signal("SIGUSR2");
      for (const pod of [near, late]) {
        await enroll(pod);
        await answers(pod);
      }
    });

    await t.step("the agent is killed once more: it hands over all that it finds, and nothing happens", async () => {
      const held = await hold();
      await agent.kill();
      await agent.start([client, near, late].map(({ known }) => known));
      for (const uid of ["uid-of-client", "uid-of-near", "uid-of-late"]) {
        await agent.line(new RegExp(`sending pod to ztunnel as part of snapshot.*${uid}`));
      }
      await agent.line(/snapshot sent to ztunnel/);
      await eventually("readiness", async () => await readiness(node) === 200);
      await answers(near);
      await answers(far);
      assert.deepEqual(held.printed, ["connected"]);
      held.signal("SIGUSR2");
    });

    await t.step(
      "a proxy is replaced: the agent tells the new one all, the old one ends what it has begun",
      async () => {
        const held = await hold();
        const old = node.proxy;
        await cluster.startProxy(node);
        await agent.line(/new ztunnel connected, total connected: 2/);
        old.signal("SIGTERM");
        await old.line(/shutdown complete.*component="inbound"/);
        await answers(far);
        await answers(near);
        assert.deepEqual(held.printed, ["connected"]);
        held.signal("SIGUSR2");
        assert.equal((await old.ended()).code, 0);
        await answers(far);
      },
    );
  });
}

/** Status of `/healthz/ready`. */
async function readiness({ proxy, namespace }: NodeWithAgent): Promise<number> {
  const { port } = await proxy.place("readiness");
  const ask = ["-s", "-o", "/dev/null", "-w", "%{http_code}", `http://127.0.0.1:${port}/healthz/ready`];
  return Number(await namespace.run("curl", ...ask));
}
