/**
 * A pod whose connection tracking table is emptied (`conntrack -F`): its open connections, and those of clients outside
 * of the mesh, are no longer redirected, and end on both sides.
 */
import { strict as assert } from "node:assert";
import { type BedPod, Cluster } from "../lab/bed/cluster.ts";
import { commandName } from "../lab/commands.ts";
import { eventually } from "../lab/eventually.ts";
import type { Namespace } from "../lab/namespace.ts";
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

    for (const [family, address] of addressesOf(server)) {
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

      await t.step(
        `an active download over ${family}`,
        () => breakDownload(client.namespace, server.namespace, address, () => flush(client)),
      );
    }
  },
);

testNeeding(
  NEEDS,
  "lost redirection: conntrack -F in the server's pod ends connections of clients outside of the mesh on both sides",
  async (t) => {
    await cacheProgram(APP, CLIENT);
    // The first packet after the loss is a probe of the proxy.
    const env = { KEEPALIVE_TIME: "1s", KEEPALIVE_INTERVAL: "1s" };
    await using cluster = await Cluster.build({ pods: [{ name: "server", node: 1 }], env });
    const server = cluster.pod("server"), { outside, nodes: [node] } = cluster;
    const app = cluster.use(Proxy.fixture(APP, ["::", `${APP_PORT}`], server.namespace.name));
    await app.line(/listening/);

    for (const [family, address] of addressesOf(server)) {
      await t.step(`a client that only waits, over ${family}: it is reset when the proxy's probe fails`, async () => {
        const before = app.printed.length;
        await using held = Proxy.fixture(CLIENT, [address, `${APP_PORT}`, "hold", "hold"], outside.namespace.name);
        await eventually("the application has the connection", () => app.printed.slice(before).includes("holding"));
        await flush(server);
        await held.line(/^reset$/);
        await eventually("the application's end", () => app.printed.slice(before).includes("gone: reset"));
        const client = family === "IPv4" ? outside.ip : `\\[${outside.ip6}\\]`;
        const pattern =
          `has lost the connection tracking entry of a redirected connection.*connection was ended.*${client}`;
        await node!.proxy.line(new RegExp(pattern));
      });

      await t.step(
        `an active download over ${family}`,
        () => breakDownload(outside.namespace, server.namespace, address, () => flush(server)),
      );
    }
  },
);

function addressesOf({ ip, ip6 }: BedPod): ReadonlyArray<readonly [family: string, address: string]> {
  return [["IPv4", ip], ["IPv6", ip6]];
}

/** Begins a download without end, and calls `lose` until both sides have ended. */
async function breakDownload(
  client: Namespace,
  server: Namespace,
  address: string,
  lose: () => Promise<void>,
): Promise<void> {
  const listen = address.includes(":") ? "::" : "0.0.0.0";
  const serve = `exec ${NC} -nvl ${listen} ${ENDLESS_PORT} </dev/zero`;
  await using sender = new Program("sh", { args: ["-c", serve], namespace: server.name });
  await sender.line(/Listening/);
  const fetch =
    `${NC} -dn ${address} ${ENDLESS_PORT} | { head -c 1000000 >/dev/null; echo loading; cat >/dev/null; echo ended; }`;
  await using receiver = new Program("sh", { args: ["-c", fetch], namespace: client.name });
  await receiver.line(/^loading$/);
  // Where the next packet is one of the client, it is redirected again and the download continues.
  await eventually("the end of the download", async () => {
    await lose();
    return receiver.printed.includes("ended");
  });
  await sender.ended();
}
