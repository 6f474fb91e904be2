/**
 * Shared mode between real programs: two nodes and four pods on one machine (`lab/bed/`), each node with one proxy
 * that serves its pods inside their own namespaces.
 */
import { strict as assert } from "node:assert";
import { commandName } from "../lab/commands.ts";
import type { LogLine } from "../lab/log_line.ts";
import { BULK, failure, get, iperf, nginx } from "../lab/bed/apps.ts";
import { type BedNode, Cluster } from "../lab/bed/cluster.ts";
import { HTTP, identityOf, SERVICE } from "../lab/bed/mesh.ts";
import { testNeeding } from "../lab/needs.ts";
import { eventually } from "../lab/eventually.ts";
import { Program } from "../lab/program.ts";

const NEEDS = { namespaces: true, packages: ["curl", "iperf3", "iptables", "nc", "nft", "nginx"] } as const;

const PODS = [
  { name: "client-1", node: 1 },
  { name: "server-1", node: 1, serves: true },
  { name: "server-2", node: 2, serves: true },
  { name: "strict-2", node: 2, strict: true },
] as const;

/** The first access line of the node's proxy that has all of `words`. */
async function access(node: BedNode, ...words: readonly string[]): Promise<LogLine> {
  return await node.proxy.line(new RegExp(`\\baccess\\b${words.map((word) => `(?=.*${escape(word)})`).join("")}`));
}

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

for (const backend of ["iptables", "nftables"] as const) {
  testNeeding(NEEDS, `inpod V5: traffic between pods, rules by ${backend}`, async (t) => {
    await using cluster = await Cluster.build({ pods: PODS, backend });
    const { outside } = cluster;
    const [client, server1, server2, strict] = PODS.map(({ name }) => cluster.pod(name)) as [
      ReturnType<Cluster["pod"]>,
      ReturnType<Cluster["pod"]>,
      ReturnType<Cluster["pod"]>,
      ReturnType<Cluster["pod"]>,
    ];
    const [node1, node2] = cluster.nodes as [BedNode, BedNode];
    for (const { name, namespace } of [server1, server2, strict, client]) await nginx(cluster, namespace, name);
    await nginx(cluster, outside.namespace, "outside");
    await iperf(cluster, server2.namespace);

    for (const [where, server] of [["on one node", server1], ["across nodes", server2]] as const) {
      for (
        const [family, host, source] of [
          ["IPv4", server.ip, client.ip],
          ["IPv6", `[${server.ip6}]`, client.ip6],
        ] as const
      ) {
        await t.step(`pod to pod ${where} over ${family}: HBONE, and the app sees the client's address`, async () => {
          assert.equal(await get(client.namespace, host), `${server.name} from ${source}`);
          const out = await access(node1, 'direction="outbound"', `dst.hbone_addr=${host}:${HTTP}`);
          assert.equal(out.fields.get("dst.addr"), `${host}:15008`);
          assert.equal(out.fields.get("src.identity"), identityOf("client-1"));
          assert.equal(out.fields.get("dst.identity"), identityOf(server.name));
          const inbound = await access(server.node, 'direction="inbound"', `dst.hbone_addr=${host}:${HTTP}`);
          assert.equal(inbound.fields.get("src.identity"), identityOf("client-1"));
          assert.equal(inbound.fields.get("bytes_sent"), out.fields.get("bytes_recv"));
        });
      }
    }

    await t.step("by VIP, both families: one of the servers answers", async () => {
      for (const [host, source] of [[SERVICE.ip, client.ip], [`[${SERVICE.ip6}]`, client.ip6]] as const) {
        const answer = await get(client.namespace, host, SERVICE.port);
        assert.ok([server1, server2].some(({ name }) => answer === `${name} from ${source}`), answer);
      }
      await access(node1, 'direction="outbound"', `dst.service="${SERVICE.hostname}"`);
    });

    await t.step("R16 to itself, by its own address and by loopback: not through the proxy", async () => {
      assert.equal(await get(client.namespace, client.ip), `client-1 from ${client.ip}`);
      assert.equal(await get(client.namespace, "127.0.0.1"), "client-1 from 127.0.0.1");
    });

    await t.step("R15 to a host outside of the mesh: plain TCP from the pod's address", async () => {
      assert.equal(await get(client.namespace, outside.ip), `outside from ${client.ip}`);
      assert.equal(await get(client.namespace, `[${outside.ip6}]`), `outside from ${client.ip6}`);
      const { fields } = await access(node1, 'direction="outbound"', `dst.addr=${outside.ip}:${HTTP}`);
      assert.equal(fields.get("dst.hbone_addr"), undefined);
    });

    await t.step("R11, R12 from a host outside: plain TCP, redirected, and the app sees that host", async () => {
      assert.equal(await get(outside.namespace, server1.ip), `server-1 from ${outside.ip}`);
      assert.equal(await get(outside.namespace, `[${server2.ip6}]`), `server-2 from ${outside.ip6}`);
      await access(node1, 'direction="inbound"', `src.addr=${outside.ip}`, `dst.addr=${server1.ip}:${HTTP}`);
    });

    await t.step(
      "R13 connections to 15008 are not redirected and have their original address",
      async () => {
        const call = ["-d", server1.ip, "15008"];
        await using _caller = new Program(commandName("nc"), { args: call, namespace: outside.namespace.name });
        const connections = () => server1.namespace.run("ss", "-Htn", "state", "established");
        const stands = new RegExp(`${escape(server1.ip)}\\]?:15008 +\\S*${escape(outside.ip)}`);
        await eventually("the connection", async () => stands.test(await connections()));
      },
    );

    await t.step("R14 a probe of the node is not redirected, even to a pod that requires identities", async () => {
      await node2.namespace.run("ip", "address", "add", `${PROBES[0]}/32`, "dev", "pods");
      await node2.namespace.run("ip", "address", "add", `${PROBES[1]}/128`, "dev", "pods", "nodad");
      for (const [source, host] of [[PROBES[0], strict.ip], [PROBES[1], `[${strict.ip6}]`]] as const) {
        const probe = ["-sS", "--max-time", "20", "--interface", source, `http://${host}:${HTTP}/`];
        assert.equal((await node2.namespace.run("curl", ...probe)).trimEnd(), `strict-2 from ${source}`);
      }
      assert.deepEqual(node2.proxy.lines.filter(({ fields }) => fields.get("src.addr")?.includes(PROBES[0])), []);
    });

    await t.step("a strict pod accepts connections from the mesh only, not plain text", async () => {
      assert.equal(await get(client.namespace, strict.ip), `strict-2 from ${client.ip}`);
      assert.notEqual(await failure(outside.namespace, strict.ip), 0);
      await access(node2, `src.addr=${outside.ip}`, `dst.addr=${strict.ip}:${HTTP}`, "bed/strict");
    });

    await t.step("R10 from a host outside to any port of the proxy, in a pod: accepted, then reset", async () => {
      for (const port of [15001, 15006, 15008, 15080, 15000, 15020, 15021]) {
        const code = await failure(outside.namespace, server1.ip, port);
        // Where the reset arrives at once, curl takes the connection for one that was never made.
        assert.notEqual(code, 0, `port ${port}`);
      }
    });

    await t.step("R3, R5, R21, config C50 connections to the proxy's own ports end without a loop", async () => {
      for (const port of [15001, 15006, 15008]) {
        assert.notEqual(await failure(client.namespace, client.ip, port), 0);
        assert.notEqual(await failure(client.namespace, "127.0.0.1", port), 0);
        if (port !== 15008) assert.notEqual(await failure(client.namespace, server2.ip, port), 0);
      }
    });

    await t.step("R4, R6, config C50 the proxy's servers cannot be reached in a pod", async () => {
      for (const port of [15000, 15020, 15021, 15080]) {
        assert.equal(await failure(client.namespace, client.ip, port), CURL_NOT_CONNECTED);
        assert.equal(await failure(client.namespace, "127.0.0.1", port), CURL_NOT_CONNECTED);
      }
    });

    await t.step("iperf3 across nodes, in both directions at once", async () => {
      const call = ["--json", "--port", `${BULK}`, "--client", server2.ip, "--bidir", "--bytes", "100M"];
      const { end } = JSON.parse(await client.namespace.run("iperf3", ...call));
      assert.ok(end.sum_received.bytes > 1e6 && end.sum_received_bidir_reverse.bytes > 1e6);
    });

    await t.step("each proxy drains and ends, without an error of its own", async () => {
      for (const { proxy } of cluster.nodes) {
        const { code, output } = await proxy.stop();
        assert.equal(code, 0, output);
        assert.deepEqual(proxy.lines.filter(({ level, scope }) => level === "error" && scope !== "access"), []);
      }
    });
  });
}

testNeeding(
  NEEDS,
  "inpod R20: without the agent's routing the app's reply is lost, and the dial times out",
  async () => {
    await using cluster = await Cluster.build({ pods: [{ name: "server", node: 1 }] });
    const { outside } = cluster;
    const { namespace, ip, node } = cluster.pod("server");
    await nginx(cluster, namespace, "server");
    await namespace.run("ip", "rule", "del", "pref", "32764");
    assert.notEqual(await failure(outside.namespace, ip), 0);
    await node.proxy.line(
      new RegExp(
        `access.*src.addr=${outside.ip}.*direction="inbound".*error="connection failed: deadline has elapsed"`,
      ),
    );
    await namespace.run("ip", "rule", "add", "fwmark", "0x111/0xfff", "pref", "32764", "lookup", "100");
    assert.equal(await get(outside.namespace, ip), `server from ${outside.ip}`);
  },
);

/** Source addresses of the node's probes, by the agent's rules. */
const PROBES = ["169.254.7.127", "fd16:9254:7127:1337:ffff:ffff:ffff:ffff"] as const;
/** `CURLE_COULDNT_CONNECT` */
const CURL_NOT_CONNECTED = 7;
