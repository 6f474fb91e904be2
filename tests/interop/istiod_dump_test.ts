/**
 * The mesh in `/config_dump` of a running proxy: after a start, after changes, and in comparison with the Rust ztunnel.
 */
import { strict as assert } from "node:assert";
import { type BedNode, Cluster } from "../../lab/bed/cluster.ts";
import { Istiod, testWithIstiod } from "../../lab/istio/istiod.ts";
import { CLUSTER, documents, pod, reference } from "../../lab/istio/istiod_objects.ts";
import { proxySettings } from "../../lab/istio/istiod_settings.ts";
import { eventually } from "../../lab/eventually.ts";
import { Proxy } from "../../lab/proxy.ts";
import { nodeSettings } from "../../lab/settings.ts";
import { tempDir } from "../../lab/temp_dir.ts";

const EVERYTHING = documents(CLUSTER, Deno.readTextFileSync(new URL("istiod_everything.yaml", import.meta.url)));
const NOTHING = JSON.stringify({ workloads: [], services: [], policies: [] });

type Entry = Readonly<Record<string, unknown>>;
interface Dump {
  readonly workloads: readonly Entry[];
  readonly services: readonly Entry[];
  readonly policies: readonly Entry[];
}

/** A proxy for one pod of its own, on loopback, whose control plane is istiod. */
function dedicated(istiod: Istiod, folder: string): Proxy {
  return new Proxy({
    ...nodeSettings({ name: "shop", ip: "127.78.2.1", mesh: NOTHING, folder }),
    ...proxySettings(istiod, "ztunnel-1", "192.0.2.1"),
    FAKE_CA: "true",
    PROXY_WORKLOAD_INFO: "app/shop-6d4cf56db6-x1/shop",
    NODE_NAME: "node-1",
  });
}

async function dumpOf(proxy: Proxy): Promise<Dump> {
  return await (await fetch(await proxy.url("admin", "/config_dump"))).json();
}

testWithIstiod(
  {},
  "istiod dump: a proxy is not ready before istiod has answered, and follows every change",
  async () => {
    using folder = tempDir();
    await using istiod = await Istiod.start({ objects: EVERYTHING, hostname: "127.78.1.4" });
    await istiod.stop();
    await using proxy = dedicated(istiod, folder.path);
    await proxy.line(/XDS client connection error/);
    const readiness = await fetch(await proxy.url("readiness", "/healthz/ready"));
    assert.equal(readiness.status, 500);
    assert.match(await readiness.text(), /not ready, pending:.*state manager/);
    await istiod.restart();
    await proxy.line(/marking server ready/);

    const uids = async () => (await dumpOf(proxy)).workloads.map(({ uid }) => uid);
    const more = "Kubernetes//Pod/app/more";
    assert.equal((await uids()).includes(more), false);
    await istiod.apply(pod({ name: "more", ip: "10.1.0.77" }));
    await eventually("the new pod in the dump", async () => (await uids()).includes(more));
    await istiod.delete(documents(reference("Pod", "more"), reference("AuthorizationPolicy", "nobody")));
    await eventually("its end", async () => !(await uids()).includes(more));
    // A separate response, as policies are another type.
    const named = async () => (await dumpOf(proxy)).policies.map(({ name }) => name);
    await eventually("the end of the policy", async () => !(await named()).includes("nobody"));
    assert.equal((await proxy.stop()).code, 0);
  },
);

testWithIstiod(
  { namespaces: true, packages: ["curl", "iptables"], env: ["ZTUNNEL_PEER"] },
  "istiod dump: of one of everything the Rust ztunnel understands the same",
  async () => {
    const rust = Deno.env.get("ZTUNNEL_PEER");
    await using cluster = await Cluster.build({
      pods: [],
      executable: (node) => node === 2 ? rust : undefined,
      async prepare(cluster) {
        const inside = { namespace: cluster.outside.namespace.name, hostname: cluster.outside.ip };
        const istiod = cluster.use(await Istiod.start({ objects: EVERYTHING, ...inside }));
        const nothing = `${cluster.folder}/nothing.json`;
        Deno.writeTextFileSync(nothing, NOTHING);
        return ({ wired, ip }) => ({
          ...proxySettings(istiod, `ztunnel-${wired.number}`, ip),
          FAKE_CA: "true",
          LOCAL_XDS_PATH: nothing,
        });
      },
    });
    const [ours, theirs] = await Promise.all(cluster.nodes.map(dumpIn));
    assert.ok(ours && theirs);
    for (const section of ["workloads", "services", "policies"] as const) {
      assert.ok(theirs[section].length > 5);
      assert.deepEqual(sorted(ours[section]), sorted(theirs[section]), section);
    }
  },
);

async function dumpIn({ namespace, proxy }: BedNode): Promise<Dump> {
  return JSON.parse(await namespace.run("curl", "-sS", await proxy.url("admin", "/config_dump")));
}

/** Sorted, where the order does not matter. */
function sorted(entries: readonly Entry[]): Entry[] {
  const key = (entry: Entry) => `${entry["uid"] ?? ""} ${entry["namespace"]}/${entry["hostname"] ?? entry["name"]}`;
  const inOrder = (entry: Entry) => {
    const { services } = entry;
    return Array.isArray(services) ? { ...entry, services: services.toSorted() } : entry;
  };
  return entries.map(inOrder).sort((a, b) => key(a) < key(b) ? -1 : 1);
}
