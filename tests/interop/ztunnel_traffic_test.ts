/** Traffic between our proxy and the Rust ztunnel in both directions; their certificates come from one CA. */
import { strict as assert } from "node:assert";
import { commandName } from "../../lab/commands.ts";
import { sumOf } from "../../lab/scrape.ts";
import { failure, get, nginx } from "../../lab/bed/apps.ts";
import { HTTP, identityOf, SERVICE } from "../../lab/bed/mesh.ts";
import { testNeeding } from "../../lab/needs.ts";
import { APP_PORT, DIRECTIONS, HBONE, PEER_NEEDS, PeerBed } from "../../testkit/rust_peer.ts";
import { baggageOf, TRUSTED } from "../../testkit/rust_peer_mesh.ts";

const NC = commandName("nc");

/** The number of streams per connection in the Rust ztunnel's pool. */
const STREAMS = 100;
const CLOSED_PORT = 1;
const GIGABYTE = 2 ** 30;
const MEGABYTE = 2 ** 20;
/** A gigabyte without repetitions. */
const NOISE = `openssl enc -aes-128-ctr -K ${"0".repeat(32)} -iv ${
  "0".repeat(32)
} -in /dev/zero 2>/dev/null | head -c ${GIGABYTE}`;

for (const direction of DIRECTIONS) {
  testNeeding(PEER_NEEDS, `ztunnel: ${direction.title}: traffic`, async (t) => {
    await using bed = await PeerBed.build(direction);
    const { near, far } = bed;
    const client = bed.pod("client"), other = bed.pod("other");
    const server = bed.pod("server"), guarded = bed.pod("guarded"), impostor = bed.pod("impostor");
    for (const { name, namespace } of [server, guarded, impostor]) await nginx(bed.cluster, namespace, name);
    const app = await bed.app(server);

    for (
      const [family, host, source] of [
        ["IPv4", server.ip, client.ip],
        ["IPv6", `[${server.ip6}]`, client.ip6],
      ] as const
    ) {
      await t.step(`HTTP over ${family}: both log both identities and the same bytes`, async () => {
        assert.equal(await get(client.namespace, host), `server from ${source}`);
        const words = ["access", `dst\\.hbone_addr=${RegExp.escape(host)}:${HTTP}`];
        const pattern = new RegExp(words.join(".*"));
        const [out, inbound] = [await near.proxy.line(pattern), await far.proxy.line(pattern)];
        assert.deepEqual([out.fields.get("direction"), inbound.fields.get("direction")], ["outbound", "inbound"]);
        for (const { fields } of [out, inbound]) {
          assert.equal(fields.get("src.identity"), identityOf("client"));
          assert.equal(fields.get("dst.identity"), identityOf("server"));
        }
        assert.equal(inbound.fields.get("bytes_sent"), out.fields.get("bytes_recv"));
        assert.equal(inbound.fields.get("bytes_recv"), out.fields.get("bytes_sent"));
      });
    }

    await t.step("HTTP by VIP, both families", async () => {
      assert.equal(await get(client.namespace, SERVICE.ip, SERVICE.port), `server from ${client.ip}`);
      assert.equal(await get(client.namespace, `[${SERVICE.ip6}]`, SERVICE.port), `server from ${client.ip6}`);
    });

    await t.step("1 GB is sent and echoed at the same time, byte for byte", async () => {
      const there = `{ echo echo; ${NOISE}; } | ${NC} -N ${server.ip} ${APP_PORT} | sha256sum`;
      const [sent, back] = await Promise.all([
        client.namespace.run("sh", "-c", `${NOISE} | sha256sum`),
        client.namespace.run("sh", "-c", there),
      ]);
      assert.equal(back, sent);
      const { fields } = await far.proxy.line(new RegExp(`access.*bytes_sent=${GIGABYTE}\\b`));
      assert.equal(fields.get("bytes_recv"), `${GIGABYTE + "echo\n".length}`);
    });

    await t.step("half-close: the whole request, its end, then the response, dataplane CP-06", async () => {
      const size = 3 * MEGABYTE + 1;
      const count = `{ echo count; head -c ${size} /dev/zero; } | ${NC} -N ${server.ip} ${APP_PORT}`;
      assert.equal(await client.namespace.run("sh", "-c", count), `${size}`);
    });

    await t.step(
      "a reset arrives as an end in both directions, and ends one stream only, dataplane CP-03",
      async () => {
        // The Rust ztunnel turns a reset into an end in both directions. Between two of our proxies it stays a reset.
        assert.equal(await bed.call(client, server, "reset"), "end");
        const held = await bed.hold(client, server);
        await app.line(/^holding$/);
        held.signal("SIGUSR2");
        await app.line(/^gone: end$/);
        assert.equal(await bed.hboneConnections(client, server), 1);
      },
    );

    await t.step("100 streams on one connection, each with different bytes", async () => {
      const crowd = await bed.crowd(client, server, STREAMS, MEGABYTE);
      assert.equal(await bed.hboneConnections(client, server), 1);
      crowd.signal("SIGUSR2");
      assert.equal((await crowd.line(/^(\d+) whole$/))[1], `${STREAMS}`);
    });

    await t.step("refused by policy: 401, logged on both sides", async () => {
      assert.equal(await get(client.namespace, guarded.ip), `guarded from ${client.ip}`);
      assert.notEqual(await failure(other.namespace, guarded.ip), 0);
      const refused = new RegExp(`access.*dst\\.hbone_addr=${guarded.ip}:${HTTP}.*error=`);
      const [out, inbound] = [await near.proxy.line(refused), await far.proxy.line(refused)];
      assert.equal(out.fields.get("error"), "http status: 401 Unauthorized");
      assert.equal(
        inbound.fields.get("error"),
        "connection closed due to policy rejection: allow policies exist, but none allowed",
      );
      assert.equal(inbound.fields.get("src.identity"), identityOf("other"));
    });

    await t.step("answers to requests; a 200 has the baggage of the pod", async () => {
      const connect = (authority: string) => ({ ":method": "CONNECT", ":authority": authority });
      const here = `${server.ip}:${HTTP}`, baggage = baggageOf("server");
      const table = [
        [connect(here), 200, baggage],
        [connect(`${SERVICE.hostname}:${SERVICE.port}`), 200, baggage],
        [connect(`${guarded.ip}:${HTTP}`), 400],
        [connect(`${server.ip}:${HBONE}`), 503],
        [connect(`${server.ip}:${CLOSED_PORT}`), 503],
        [connect("nobody.bed.svc.cluster.local:80"), 503],
        [{ ...connect(here), ":method": "GET", ":scheme": "http", ":path": "/" }, 400],
      ] as const;
      const answers = await bed.answers(server, "client", table.map(([request]) => request));
      assert.deepEqual(answers, table.map(([, status, baggage = null]) => ({ status, baggage })));
      const [refused] = await bed.answers(guarded, "other", [connect(`${guarded.ip}:${HTTP}`)]);
      assert.deepEqual(refused, { status: 401, baggage: null });
    });

    await t.step(
      "baggage of a client that is no workload of the mesh is used only by the Rust ztunnel, observed O52",
      async () => {
        const stranger = bed.pod("stranger");
        assert.equal(await get(stranger.namespace, server.ip), `server from ${stranger.ip}`);
        const { fields } = await far.proxy.line(new RegExp(`access.*src\\.addr=${stranger.ip}:.*dst\\.hbone_addr`));
        assert.equal(fields.get("src.identity"), identityOf("stranger"));
        const believed = direction.rust === 2;
        assert.equal(fields.get("src.workload"), believed ? "stranger-canonical" : undefined);
        const principal = identityOf("stranger");
        const samples = (await bed.samples(far)).filter(({ labels }) => labels.get("source_principal") === principal);
        const [workload, region] = believed ? ["stranger-app", "north"] : ["unknown", "unknown"];
        const labels = { source_workload: workload, source_region: region };
        assert.equal(sumOf(samples, "istio_tcp_connections_opened_total", labels), 1);
      },
    );

    await t.step("another identity than expected: the client ends the handshake with a TLS alert", async () => {
      assert.notEqual(await failure(client.namespace, impostor.ip), 0);
      const out = await near.proxy.line(new RegExp(`access.*dst\\.addr=${impostor.ip}:15008.*error=`));
      const expected = `did not present the expected SAN (${identityOf(TRUSTED)}), got ${identityOf("impostor")}`;
      assert.ok(out.fields.get("error")?.includes(expected), out.fields.get("error") ?? "no error");
      const inbound = await far.proxy.line(new RegExp(`access.*dst\\.addr=${impostor.ip}:15008.*error=`));
      assert.match(inbound.fields.get("error") ?? "", /^tls handshake error: .*(AlertReceived|TLS alert)/);
    });
  });
}
