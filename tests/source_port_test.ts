/** Plain connections into a pod whose client's address is kept: the port of the proxy's connection to the application. */
import { strict as assert } from "node:assert";
import { Cluster } from "../lab/bed/cluster.ts";
import { testNeeding } from "../lab/needs.ts";
import type { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";

const APP = "tests/fixtures/tcp_app.ts", CLIENT = "tests/fixtures/tcp_client.ts";
const APP_PORT = 7000;
/** The pod's kernel chooses ports from this range; in the kernel's order the first one is one of the proxy. */
const RANGE = [40_000, 40_001] as const;

testNeeding(
  { namespaces: true, packages: ["ip", "iptables"] },
  "source port: a client may use any port of the pod's own range while the proxy has a connection with its address",
  async (t) => {
    await cacheProgram(APP, CLIENT);
    await using cluster = await Cluster.build({
      pods: [{ name: "server", node: 1 }],
      async prepare(cluster) {
        const range = `echo ${RANGE.join(" ")} > /proc/sys/net/ipv4/ip_local_port_range`;
        await cluster.pod("server").namespace.run("sh", "-ec", range);
        return () => ({});
      },
    });
    const server = cluster.pod("server"), { outside } = cluster;
    const app = cluster.use(Proxy.fixture(APP, ["::", `${APP_PORT}`], server.namespace.name));
    await app.line(/listening/);
    const call = (address: string, wish: string, option: string): Program =>
      Proxy.fixture(CLIENT, [address, `${APP_PORT}`, wish, option], outside.namespace.name);

    for (const [family, to, from] of [["IPv4", server.ip, `::ffff:${outside.ip}`], ["IPv6", server.ip6, outside.ip6]]) {
      await t.step(`over ${family}`, async () => {
        await using held = call(to!, "hold", "hold");
        await held.line(/connected/);
        await app.line(/^holding$/);
        for (const port of RANGE) {
          await using client = call(to!, "source", `${port}`);
          await client.line(/^end$/);
          assert.equal((await client.ended()).output, `${from}\nend`);
        }
      });
    }
  },
);
