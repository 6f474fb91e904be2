/** Datagrams that only a raw socket can send: with a source that cannot be answered. */
import { strict as assert } from "node:assert";
import { LOOPBACK_V4 } from "../../src/net/address.ts";
import { encodeSockaddr } from "../../src/net/sockaddr.ts";
import { ReactorRig } from "../../src/net/testkit/reactor.ts";
import { AF_INET, SOCK_CLOEXEC } from "../../src/os/constants.ts";
import { errno } from "../../src/os/libc.ts";
import { libc } from "../../src/os/libc_sockets.ts";
import { sendTo } from "../../src/os/socket.ts";
import { testNeeding } from "../../lab/needs.ts";

const SOCK_RAW = 3, IPPROTO_RAW = 255, UDP = 17;

/** An IPv4 header and a UDP header; the kernel adds what is left out. */
function packet(sourcePort: number, port: number, payload: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(29);
  bytes[0] = 0x45;
  bytes[8] = 64;
  bytes[9] = UDP;
  bytes.set([127, 0, 0, 1, 127, 0, 0, 1, sourcePort >> 8, sourcePort & 255, port >> 8, port & 255, 0, 9], 12);
  bytes[28] = payload;
  return bytes;
}

testNeeding({ root: true }, "UDP: datagrams from port 0 are not delivered, as no reply would arrive", async () => {
  await using rig = new ReactorRig();
  const received: [number | undefined, number][] = [];
  const socket = rig.network.udp({ address: { ip: LOOPBACK_V4, port: 0 } }, {
    onDatagram: (bytes, from) => received.push([bytes[0], from.port]),
  });
  const raw = libc.socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
  assert.ok(raw >= 0, `errno ${errno()}`);
  const to = encodeSockaddr({ ip: LOOPBACK_V4, port: 0 }).slice();
  for (const [source, payload] of [[0, 1], [4711, 2], [0, 3], [4712, 4]] as const) {
    assert.ok(sendTo(raw, packet(source, socket.local.port, payload), to) > 0, `errno ${errno()}`);
  }
  await rig.run(() => received.length === 2);
  assert.deepEqual(received, [[2, 4711], [4, 4712]]);
  libc.close(raw);
  socket.close();
});
