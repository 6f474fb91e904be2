/** Connections in plain TCP out of the mesh and into it, over a network that is away for 20 s. */
import { strict as assert } from "node:assert";
import { Cluster } from "../lab/bed/cluster.ts";
import type { Namespace } from "../lab/namespace.ts";
import { testNeeding } from "../lab/needs.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { linkOutside } from "../testkit/link/linked_nodes.ts";
import { APP_PORT, TRANSFER_PROGRAMS, Transfers } from "../testkit/link/transfers.ts";

/** The subject of the test, and no waiting for something else. */
const OUTAGE_MILLIS = 20_000;
const COUNT = 2, BYTES = 500_000;

testNeeding(
  { namespaces: true, tun: true, packages: ["ip", "iptables"] },
  "bad network: plain connections into a pod and out of the mesh survive an outage of 20 s",
  async () => {
    await cacheProgram(...TRANSFER_PROGRAMS);
    await using cluster = await Cluster.build({ pods: [{ name: "client", node: 1 }, { name: "server", node: 1 }] });
    const { outside } = cluster, client = cluster.pod("client"), server = cluster.pod("server");
    const link = await linkOutside(cluster, { delayMillis: 5, bitsPerSecond: 16e6 });
    const fixture = (name: string, { name: namespace }: Namespace, ...args: readonly string[]) =>
      cluster.use(Proxy.fixture(`tests/fixtures/${name}.ts`, args, namespace));
    const apps = await Promise.all([server, outside].map(async ({ namespace }) => {
      const app = fixture("tcp_app", namespace, "::", `${APP_PORT}`);
      await app.line(/listening/);
      return app;
    }));
    const ways = [[client, outside.ip], [client, outside.ip6], [outside, server.ip], [outside, server.ip6]] as const;

    const held = ways.map(([{ namespace }, to]) => fixture("tcp_client", namespace, to, `${APP_PORT}`, "hold", "hold"));
    for (const app of apps) await app.matches(/^holding$/, ways.length / 2);
    const opening = ways.map(async ([from, to]) => cluster.use(await Transfers.open(from, to, COUNT, BYTES)));
    const transfers = await Promise.all(opening);
    const { delivered } = link.counts;
    for (const each of transfers) each.begin();
    while (link.counts.delivered < delivered + 500) await delay(10);
    link.down();
    // The proxy answers the client at once and connects to the host when the network is back.
    const calls = [outside.ip, outside.ip6].map((to) =>
      fixture("tcp_client", client.namespace, to, `${APP_PORT}`, "source").ended()
    );
    await delay(OUTAGE_MILLIS);
    link.up();
    assert.deepEqual((await Promise.all(calls)).map(({ output }) => output), [
      `::ffff:${client.ip}\nend`,
      `${client.ip6}\nend`,
    ]);
    for (const each of transfers) await each.finish();
    assert.deepEqual(held.map(({ printed }) => printed), ways.map(() => ["connected"]));
  },
);

function delay(millis: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, millis));
}
