/** Traffic between our proxy and the Rust ztunnel in both directions; their certificates come from one CA. */
import { strict as assert } from "node:assert";
import { get, nginx } from "../bed/apps.ts";
import { HTTP, identityOf, SERVICE } from "../bed/mesh.ts";
import { testNeeding } from "../support/needs.ts";
import { DIRECTIONS, PEER_NEEDS, PeerBed } from "../support/rust_peer.ts";

for (const direction of DIRECTIONS) {
  testNeeding(PEER_NEEDS, `ztunnel: ${direction.who}: traffic`, async (t) => {
    await using bed = await PeerBed.build(direction);
    const { near, far } = bed;
    const client = bed.pod("client"), server = bed.pod("server");
    await nginx(bed.cluster, server.namespace, "server");

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
  });
}
