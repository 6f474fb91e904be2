/**
 * Proxies with Istio's own programs: istio-cni redirects the pods and hands them over, istiod sends the mesh and issues
 * certificates. Traffic between two nodes, also with a Rust ztunnel on either side, while the mesh changes.
 */
import { strict as assert } from "node:assert";
import { failure, get, nginx } from "../../lab/bed/apps.ts";
import { HTTP, identityOf, NAMESPACE, SERVICE } from "../../lab/bed/mesh.ts";
import { testWithCni } from "../../lab/istio/cni.ts";
import { authorizationPolicy, reference } from "../../lab/istio/istiod_objects.ts";
import { eventually } from "../../lab/eventually.ts";
import { cacheProgram, Proxy } from "../../lab/proxy.ts";
import { CniCluster, type NodeWithAgent, type PodInMesh } from "../../lab/istio/cni_cluster.ts";

const NEEDS = { namespaces: true, packages: ["curl", "dig", "iptables", "nft", "nginx"] } as const;
const APP = "tests/fixtures/tcp_app.ts", CLIENT = "tests/fixtures/tcp_client.ts", APP_PORT = 7000;
const PODS = [{ name: "client", node: 1 }, { name: "other", node: 1 }, { name: "server", node: 2, serves: true }];
/** An address without a host: the pod's queries never reach it. */
const NAMESERVER = "10.96.0.53";

const ANYBODY_BUT_OTHER = authorizationPolicy({
  name: "not-other",
  namespace: NAMESPACE,
  action: "DENY",
  rules: [{ from: [{ source: { principals: [identityOf("other").replace("spiffe://", "")] } }] }],
});

const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: ${NAMESPACE}}
spec: {mtls: {mode: STRICT}}`;

const PROBES = ["169.254.7.127", "fd16:9254:7127:1337:ffff:ffff:ffff:ffff"] as const;

const RUST = Deno.env.get("ZTUNNEL_PEER");
const CASES = [
  { who: "two proxies of ours, rules by iptables", rules: "iptables", env: [], executable: () => undefined },
  { who: "two proxies of ours, rules by nftables", rules: "nftables", env: [], executable: () => undefined },
  {
    who: "ours calls a Rust ztunnel",
    rules: "iptables",
    env: ["ZTUNNEL_PEER"],
    executable: (node: number) => node === 2 ? RUST : undefined,
  },
  {
    who: "a Rust ztunnel calls ours",
    rules: "iptables",
    env: ["ZTUNNEL_PEER"],
    executable: (node: number) => node === 1 ? RUST : undefined,
  },
] as const;

for (const { who, rules, env, executable } of CASES) {
  testWithCni({ ...NEEDS, env }, `cni traffic: ${who}`, async (t) => {
    await cacheProgram(APP, CLIENT);
    await using cluster = await CniCluster.build({ pods: PODS, rules, executable });
    const { istiod } = cluster;
    const [client, other, server] = cluster.pods as [PodInMesh, PodInMesh, PodInMesh];
    for (const { namespace, name } of [client, server]) await nginx(cluster, namespace, name);
    const app = cluster.use(Proxy.fixture(APP, ["::", `${APP_PORT}`], server.namespace.name));
    await app.line(/listening/);

    await t.step(
      "both directions, both families, and by VIP: HBONE, and the app sees the client's address",
      async () => {
        for (const [from, to] of [[client, server], [server, client]] as const) {
          assert.equal(await get(from.namespace, to.ip), `${to.name} from ${from.ip}`);
          assert.equal(await get(from.namespace, `[${to.ip6}]`), `${to.name} from ${from.ip6}`);
          const inbound = await to.node.proxy.line(
            new RegExp(`access.*"${identityOf(from.name)}".*direction="inbound"`),
          );
          assert.equal(inbound.fields.get("dst.workload"), to.name);
          const outbound = await from.node.proxy.line(
            new RegExp(`access.*"${identityOf(to.name)}".*direction="outbound"`),
          );
          assert.equal(outbound.fields.get("dst.addr"), `${to.ip}:15008`);
        }
        assert.equal(await get(client.namespace, SERVICE.ip, SERVICE.port), `server from ${client.ip}`);
        assert.equal(await get(client.namespace, `[${SERVICE.ip6}]`, SERVICE.port), `server from ${client.ip6}`);
      },
    );

    await t.step("the agent redirects DNS: the proxy answers for services that no nameserver has", async () => {
      for (const transport of ["+notcp", "+tcp"]) {
        const question = ["+short", "+timeout=5", transport, `@${NAMESERVER}`, SERVICE.hostname, "A"];
        assert.equal((await client.namespace.run("dig", ...question)).trim(), SERVICE.ip);
      }
    });

    await t.step("a DENY policy ends the connection that it forbids, and no other", async () => {
      const [forbidden, allowed] = [hold(cluster, other, server), hold(cluster, client, server)];
      await forbidden.line(/connected/);
      await allowed.line(/connected/);
      await app.matches(/holding/, 2);
      await istiod.apply(ANYBODY_BUT_OTHER);
      await forbidden.line(/end|reset/);
      assert.notEqual(await failure(other.namespace, server.ip), 0);
      assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
      assert.deepEqual(allowed.printed, ["connected"], "it still holds");
    });

    await t.step("istiod ends its streams: traffic is not affected, and later changes arrive", async () => {
      const held = hold(cluster, client, server);
      await held.line(/connected/);
      const before = new Set((await istiod.clients()).map(({ address }) => address));
      assert.equal(await istiod.drop(), 2);
      await eventually("new streams of both", async () => {
        const now = (await istiod.clients()).filter(({ address, watches }) =>
          !before.has(address) && Object.values(watches).every(({ sent, acked }) => sent !== "" && sent === acked)
        );
        return now.length === 2 && now.every(({ watches }) => Object.keys(watches).length === 2);
      });
      assert.notEqual(await failure(other.namespace, server.ip), 0, "the policy is still there");
      await istiod.delete(reference("AuthorizationPolicy", "not-other", NAMESPACE));
      await eventually("an answer", async () => await failure(other.namespace, server.ip) === 0);
      assert.deepEqual(held.printed, ["connected"]);
    });

    await t.step("R14 the node's probes reach a pod that requires identities, without the proxy", async () => {
      const { node } = server;
      // The agent's rules of the node give probes these addresses.
      await node.namespace.run("ip", "address", "add", `${PROBES[0]}/32`, "dev", "pods");
      await node.namespace.run("ip", "address", "add", `${PROBES[1]}/128`, "dev", "pods", "nodad");
      await istiod.apply(STRICT);
      await eventually("a refusal", async () => await failure(cluster.outside.namespace, server.ip) !== 0);
      assert.equal(await probe(node, PROBES[0], server.ip), `server from ${PROBES[0]}`);
      assert.equal(await probe(node, PROBES[1], `[${server.ip6}]`), `server from ${PROBES[1]}`);
      assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
      await istiod.delete(reference("PeerAuthentication", "strict", NAMESPACE));
      await eventually("an answer", async () => await failure(cluster.outside.namespace, server.ip) === 0);
    });

    await t.step("a pod that leaves the mesh uses plain text; one that returns does not", async () => {
      assert.equal(await client.node.agent.release(client.agentPod), "");
      assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
      await server.node.proxy.line(new RegExp(`access(?!.*src.identity).*src.addr=${client.ip}:.*direction="inbound"`));
      const before = client.node.proxy.access.length;
      await client.enroll();
      assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
      await eventually("a line of its proxy", () => client.node.proxy.access.length > before);
    });
  });
}

/** A connection that stays open. */
function hold(cluster: CniCluster, from: PodInMesh, to: PodInMesh) {
  return cluster.use(Proxy.fixture(CLIENT, [to.ip, `${APP_PORT}`, "hold", "hold"], from.namespace.name));
}

/** Probes a pod like the node's kubelet. */
async function probe(node: NodeWithAgent, source: string, host: string): Promise<string> {
  const url = `http://${host}:${HTTP}/`;
  return (await node.namespace.run("curl", "-sS", "--max-time", "20", "--interface", source, url)).trimEnd();
}
