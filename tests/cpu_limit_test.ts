/** Both proxies have a fifth of a core, as with `limits: { cpu: 200m }`, and 2,000 connections at once. */
import { strict as assert } from "node:assert";
import { Cluster } from "../lab/bed/cluster.ts";
import { ControlGroup } from "../lab/control_group.ts";
import { testNeeding } from "../lab/needs.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";
import { APP_PORT, TRANSFER_PROGRAMS, Transfers } from "../testkit/link/transfers.ts";

const LIMITS = { memoryBytes: 256 << 20, milliCpu: 200 } as const;
const CONNECTIONS = 2000, BYTES = 4096;

testNeeding(
  { namespaces: true, controlGroups: true, packages: ["ip", "iptables"] },
  "cpu limit: with 200m for each proxy, 2,000 connections at once deliver every byte, and nothing is left",
  async () => {
    await cacheProgram(...TRANSFER_PROGRAMS);
    await using cluster = await Cluster.build({ pods: [{ name: "client", node: 1 }, { name: "server", node: 2 }] });
    const client = cluster.pod("client"), server = cluster.pod("server");
    const app = cluster.use(
      Proxy.fixture("tests/fixtures/tcp_app.ts", ["::", `${APP_PORT}`], server.namespace.name),
    );
    await app.line(/listening/);
    const proxies = cluster.nodes.map(({ proxy }) => proxy);
    const groups = proxies.map((_, index) => ControlGroup.create(`zt-cpu-${Deno.pid}-${index}`, LIMITS));
    try {
      proxies.forEach((proxy, index) => groups[index]!.add(proxy.pid));
      const before = proxies.map(({ descriptors }) => descriptors);
      {
        await using transfers = await Transfers.open(client, server.ip, CONNECTIONS, BYTES);
        transfers.begin();
        await transfers.finish();
      }
      await using call = Proxy.fixture(
        "tests/fixtures/tcp_client.ts",
        [server.ip, `${APP_PORT}`, "source"],
        client.namespace.name,
      );
      assert.equal((await call.ended()).output, `::ffff:${client.ip}\nend`);
      for (const [index, proxy] of proxies.entries()) {
        // Pooled connections stay open: some for the streams, 100 on each.
        await proxy.descriptorsBackTo(before[index]! + CONNECTIONS / 100 + 1);
        assert.deepEqual(proxy.lines.filter(({ level }) => level === "error").map(({ message }) => message), []);
        assert.equal(groups[index]!.killed, 0);
        assert.ok(groups[index]!.throttled > 0, "the limit was reached");
      }
    } finally {
      for (const proxy of proxies) await proxy.stop("SIGKILL");
      for (const group of groups) group.remove();
    }
  },
);
