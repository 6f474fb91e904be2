/**
 * Two nodes on one machine (`lab/bed/`) whose proxies have configuration and certificates from a real istiod: traffic
 * between their pods, and effects of policy changes.
 */
import { strict as assert } from "node:assert";
import { failure, get, nginx } from "../../lab/bed/apps.ts";
import { type BedPod, Cluster } from "../../lab/bed/cluster.ts";
import { HTTP, identityOf, NAMESPACE, SERVICE } from "../../lab/bed/mesh.ts";
import { Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import {
  authorizationPolicy,
  documents,
  namespace,
  pod,
  proxyPod,
  reference,
  service,
} from "../../lab/istio/istiod_objects.ts";
import { proxySettings } from "../../lab/istio/istiod_settings.ts";
import { eventually } from "../../lab/eventually.ts";
import { cacheProgram, Proxy } from "../../lab/proxy.ts";

const NEEDS = { namespaces: true, packages: ["curl", "iptables", "nginx"] } as const;
const APP = "tests/fixtures/tcp_app.ts", CLIENT = "tests/fixtures/tcp_client.ts", APP_PORT = 7000;
/** The address of istiod: the bed's host outside of the mesh. */
const HOST = "10.200.0.9";

const PODS = [
  { name: "client", node: 1 },
  { name: "other", node: 1 },
  { name: "server", node: 2, serves: true },
] as const;

const ANYBODY_BUT_OTHER = authorizationPolicy({
  name: "not-other",
  namespace: NAMESPACE,
  action: "DENY",
  rules: [{ from: [{ source: { principals: [identityOf("other").replace("spiffe://", "")] } }] }],
});

/** By a selector, so that the server's workload must name it. */
const ANYBODY_BUT_CLIENT = authorizationPolicy({
  name: "not-client",
  namespace: NAMESPACE,
  action: "DENY",
  app: "server",
  rules: [{ from: [{ source: { principals: [identityOf("client").replace("spiffe://", "")] } }] }],
});

const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: strict, namespace: ${NAMESPACE}}
spec: {mtls: {mode: STRICT}}`;

function objectsOf(cluster: Cluster): string {
  return documents(
    namespace("istio-system"),
    namespace(NAMESPACE, { "istio.io/dataplane-mode": "ambient" }),
    ...cluster.nodes.map(({ name, ip }) => proxyPod({ name: `ztunnel-${name}`, node: name, ip })),
    ...cluster.pods.map(podObject),
    service({ name: "server", namespace: NAMESPACE, vip: SERVICE.ip, ports: { [SERVICE.port]: HTTP } }),
  );
}

function podObject({ name, ip, ip6, node }: BedPod): string {
  return pod({ name, namespace: NAMESPACE, ip: [ip, ip6], node: node.name });
}

/**
 * The bed, configured by an istiod that runs in it. `executable`: of the proxies, by the number of their node;
 * `settings`: of all of them.
 */
async function build(
  executable: (node: number) => string | undefined,
  settings: Readonly<Record<string, string>>,
): Promise<{ cluster: Cluster; istiod: Istiod } & AsyncDisposable> {
  await cacheProgram(APP, CLIENT);
  const started = Promise.withResolvers<Istiod>();
  const cluster = await Cluster.build({
    pods: PODS,
    executable,
    async prepare(cluster) {
      const inside = { namespace: cluster.outside.namespace.name, hostname: HOST };
      const istiod = cluster.use(await Istiod.start({ objects: objectsOf(cluster), ...inside }));
      started.resolve(istiod);
      // In place of the settings of a bed without a control plane.
      const nothing = `${cluster.folder}/nothing.json`;
      Deno.writeTextFileSync(nothing, JSON.stringify({ workloads: [], services: [], policies: [] }));
      return ({ name, ip }) => ({
        ...proxySettings(istiod, `ztunnel-${name}`, ip),
        LOCAL_XDS_PATH: nothing,
        ...settings,
      });
    },
  });
  return { cluster, istiod: await started.promise, [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose]() };
}

const RUST = Deno.env.get("ZTUNNEL_PEER");
interface Pair {
  readonly who: string;
  readonly env: readonly string[];
  readonly executable: (node: number) => string | undefined;
  readonly settings: { readonly XDS_ON_DEMAND?: "true" };
}

const PAIRS: readonly Pair[] = [
  { who: "two proxies of ours", env: [], executable: () => undefined, settings: {} },
  {
    who: "two proxies of ours, on demand",
    env: [],
    executable: () => undefined,
    settings: { XDS_ON_DEMAND: "true" },
  },
  {
    who: "ours calls a Rust ztunnel",
    env: ["ZTUNNEL_PEER"],
    executable: (node: number) => node === 2 ? RUST : undefined,
    settings: {},
  },
  {
    who: "a Rust ztunnel calls ours",
    env: ["ZTUNNEL_PEER"],
    executable: (node: number) => node === 1 ? RUST : undefined,
    settings: {},
  },
];

for (const { who, env, executable, settings } of PAIRS) {
  testWithIstiod(
    { ...NEEDS, env },
    `istiod traffic: ${who}, with policies that change under live connections`,
    async (t) => {
      await using bed = await build(executable, settings);
      const { cluster, istiod } = bed;
      const [client, other, server] = ["client", "other", "server"].map((name) => cluster.pod(name)) as [
        BedPod,
        BedPod,
        BedPod,
      ];
      const outside = cluster.outside.namespace;
      await nginx(cluster, server.namespace, "server");
      const app = cluster.use(Proxy.fixture(APP, ["::", `${APP_PORT}`], server.namespace.name));
      await app.line(/listening/);

      await t.step(
        "by address, both families, and by VIP: HBONE with the identities that istiod certifies",
        async () => {
          assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
          assert.equal(await get(client.namespace, `[${server.ip6}]`), `server from ${client.ip6}`);
          assert.equal(await get(client.namespace, SERVICE.ip, SERVICE.port), `server from ${client.ip}`);
          const inbound = await server.node.proxy.line(/access.*direction="inbound"/);
          assert.equal(inbound.fields.get("src.identity"), identityOf("client"));
          // On demand the server's node has not looked up the service.
          const known = settings.XDS_ON_DEMAND === undefined ? SERVICE.hostname : undefined;
          assert.equal(inbound.fields.get("dst.service"), known);
          const outbound = await client.node.proxy.line(/access.*direction="outbound"/);
          assert.equal(outbound.fields.get("dst.identity"), identityOf("server"));
        },
      );

      await t.step("a new policy ends the connection that it forbids, and no other", async () => {
        const [forbidden, allowed] = [hold(cluster, other, server), hold(cluster, client, server)];
        await forbidden.line(/connected/);
        await allowed.line(/connected/);
        await app.matches(/holding/, 2);
        await istiod.apply(ANYBODY_BUT_OTHER);
        await forbidden.line(/end|reset/);
        await server.node.proxy.line(new RegExp(`${identityOf("other")}.*closed because it's no longer allowed`));
        assert.notEqual(await failure(other.namespace, server.ip), 0);
        assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
        assert.deepEqual(allowed.printed, ["connected"], "it still holds");
      });

      await t.step("connections succeed again after the policy is removed", async () => {
        await istiod.delete(reference("AuthorizationPolicy", "not-other", NAMESPACE));
        await eventually("an answer", async () => await failure(other.namespace, server.ip) === 0);
      });

      // The native proxy authorizes open connections again only when policies change, not when workloads do (xds Q11).
      if (executable(2) === undefined) {
        await t.step("a policy that the server's workload references from now on ends a connection, too", async () => {
          const [forbidden, allowed] = [hold(cluster, client, server), hold(cluster, other, server)];
          await forbidden.line(/connected/);
          await allowed.line(/connected/);
          await app.matches(/holding/, 4);
          await istiod.apply(ANYBODY_BUT_CLIENT);
          await forbidden.line(/end|reset/);
          assert.notEqual(await failure(client.namespace, server.ip), 0);
          assert.equal(await get(other.namespace, server.ip), `server from ${other.ip}`);
          assert.deepEqual(allowed.printed, ["connected"], "it still holds");
          await istiod.delete(reference("AuthorizationPolicy", "not-client", NAMESPACE));
          await eventually("an answer", async () => await failure(client.namespace, server.ip) === 0);
        });
      }

      await t.step("PeerAuthentication STRICT: plain text is refused, connections of the mesh are not", async () => {
        assert.equal(await get(outside, server.ip), `server from ${HOST}`);
        await istiod.apply(STRICT);
        await eventually("a refusal", async () => await failure(outside, server.ip) !== 0);
        assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
      });

      await t.step("traffic goes on while istiod is down; later changes arrive", async () => {
        await istiod.stop();
        assert.equal(await get(client.namespace, server.ip), `server from ${client.ip}`);
        await istiod.restart({ deleted: [`PeerAuthentication/${NAMESPACE}/strict`] });
        await eventually("an answer", async () => await failure(outside, server.ip) === 0);
      });

      await t.step("a service without pods refuses connections; with a pod it works again", async () => {
        await istiod.delete(reference("Pod", "server", NAMESPACE));
        await eventually("a refusal", async () => await failure(client.namespace, SERVICE.ip, SERVICE.port) !== 0);
        await istiod.apply(podObject(server));
        await eventually("an answer", async () => await failure(client.namespace, SERVICE.ip, SERVICE.port) === 0);
      });
    },
  );
}

/** A connection that stays open. */
function hold(cluster: Cluster, from: BedPod, to: BedPod) {
  return cluster.use(Proxy.fixture(CLIENT, [to.ip, `${APP_PORT}`, "hold", "hold"], from.namespace.name));
}
