/** Lost, reordered and repeated packets, and a small path MTU, between our proxy and a Rust ztunnel. */
import { testNeeding } from "../../lab/needs.ts";
import { cacheProgram } from "../../lab/proxy.ts";
import { allowMtuProbing, BAD_NETWORK, BLACK_HOLE } from "../../testkit/link/conditions.ts";
import { linkNodes } from "../../testkit/link/linked_nodes.ts";
import { transfer, TRANSFER_PROGRAMS } from "../../testkit/link/transfers.ts";
import { DIRECTIONS, PEER_NEEDS, PeerBed } from "../../testkit/rust_peer.ts";

for (const direction of DIRECTIONS) {
  testNeeding({ ...PEER_NEEDS, tun: true }, `bad network: ${direction.title}, every byte arrives`, async (t) => {
    await cacheProgram(...TRANSFER_PROGRAMS);
    await using bed = await PeerBed.build(direction);
    const [client, server] = [bed.pod("client"), bed.pod("server")];
    const link = await linkNodes(bed.cluster, BAD_NETWORK);
    await bed.app(server);

    await t.step("with lost, reordered and repeated packets, over IPv4 and IPv6", async () => {
      for (const address of [server.ip, server.ip6]) await transfer(client, address, 4, 500_000);
    });

    await t.step("over a path with an MTU of 1280 that swallows ICMP, where the kernel may probe for it", async () => {
      for (const pod of [client, server]) await allowMtuProbing(pod.namespace);
      link.change(BLACK_HOLE);
      await transfer(client, server.ip, 2, 250_000);
    });
  });
}
