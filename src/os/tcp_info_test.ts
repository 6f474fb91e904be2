import { strict as assert } from "node:assert";
import * as c from "./constants.ts";
import { libc } from "./libc.ts";
import { openSocket } from "./socket.ts";
import { tcpInfo } from "./tcp_info.ts";

Deno.test("tcp_info: a TCP socket has a round-trip time and a rate, other descriptors have none", () => {
  const tcp = openSocket(c.AF_INET, c.SOCK_STREAM), udp = openSocket(c.AF_INET, c.SOCK_DGRAM);
  try {
    const info = tcpInfo(tcp);
    assert.ok(info !== null);
    assert.ok(info.roundTrip >= 0 && info.roundTrip < 60_000_000, `${info.roundTrip}`);
    assert.equal(info.deliveryRate, 0, "nothing was sent");
    assert.equal(tcpInfo(udp), null);
    assert.equal(tcpInfo(-1), null);
  } finally {
    libc.close(tcp);
    libc.close(udp);
  }
});
