/**
 * A pod whose connection tracking table is emptied (`conntrack -F`): its open connections are no longer redirected, and
 * end on both sides.
 */
import { strict as assert } from "node:assert";
import { type BedPod, Cluster } from "../lab/bed/cluster.ts";
import { commandName } from "../lab/commands.ts";
import { eventually } from "../lab/eventually.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program } from "../lab/program.ts";
import { cacheProgram, Proxy } from "../lab/proxy.ts";

const NC = commandName("nc");
const APP = "tests/fixtures/tcp_app.ts", CLIENT = "tests/fixtures/tcp_client.ts";
const APP_PORT = 7000, ENDLESS_PORT = 7001;
const PODS = [{ name: "client", node: 1 }, { name: "server", node: 2 }];
const NEEDS = { namespaces: true, packages: ["conntrack", "ip", "iptables", "nc"] } as const;

async function flush({ namespace }: BedPod): Promise<void> {
  for (const family of ["ipv4", "ipv6"]) await namespace.run("conntrack", "-F", "-f", family);
}

testNeeding(
  NEEDS,
  "lost redirection: conntrack -F in the client's pod ends its connections on both sides",
  async (t) => {
    await cacheProgram(APP, CLIENT);
    await using cluster = await Cluster.build({ pods: PODS });
    const [client, server] = [cluster.pod("client"), cluster.pod("server")];
    const near = cluster.nodes[0]!.proxy;

    for (const [family, address] of [["IPv4", server.ip], ["IPv6", server.ip6]] as const) {
      await t.step(`a client that only waits, over ${family}: it notices when the server ends`, async () => {
        const app = Proxy.fixture(APP, ["::", `${APP_PORT}`], server.namespace.name);
        await using _app = app;
        await app.line(/listening/);
        await using held = Proxy.fixture(CLIENT, [address, `${APP_PORT}`, "hold", "hold"], client.namespace.name);
        await app.line(/^holding$/);
        await flush(client);
        // The next packet is one of the proxy, and the client's kernel knows no connection to that address.
        await app.stop("SIGKILL");
        await held.line(/ECONNABORTED/);
        const { fields } = await near.line(/has lost the connection tracking entry of a redirected connection/);
        assert.equal(fields.get("dst.addr"), `${server.ip}:${APP_PORT}`);
      });

      await t.step(`an active download over ${family}`, async () => {
        const listen = family === "IPv4" ? "0.0.0.0" : "::";
        const serve = `exec ${NC} -nvl ${listen} ${ENDLESS_PORT} </dev/zero`;
        await using sender = new Program("sh", { args: ["-c", serve], namespace: server.namespace.name });
        await sender.line(/Listening/);
        const fetch =
          `${NC} -dn ${address} ${ENDLESS_PORT} | { head -c 1000000 >/dev/null; echo loading; cat >/dev/null; echo ended; }`;
        await using receiver = new Program("sh", { args: ["-c", fetch], namespace: client.namespace.name });
        await receiver.line(/^loading$/);
        // Where the next packet is one of the client, it is redirected again and the download continues.
        await eventually("the end of the download", async () => {
          await flush(client);
          return receiver.printed.includes("ended");
        });
        await sender.ended();
      });
    }
  },
);
