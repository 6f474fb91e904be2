import { strict as assert } from "node:assert";
import * as c from "../os/constants.ts";
import { libc } from "../os/libc_sockets.ts";
import { openSocket } from "../os/socket.ts";
import type { Ip } from "./address.ts";
import { encodeSockaddr } from "./sockaddr.ts";
import { TcpPath } from "./tcp_path.ts";

Deno.test("tcp path: the kernel counts segments with data in either direction", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const fd = openSocket(c.AF_INET, c.SOCK_STREAM), path = new TcpPath(fd);
  try {
    const address = encodeSockaddr({ ip: "127.0.0.1" as Ip, port: listener.addr.port });
    libc.connect(fd, address, address.length);
    using peer = await listener.accept();
    assert.deepEqual(path.countSegments(), { ...path.countSegments(), sent: 0, received: 0 });
    const word = new TextEncoder().encode("segment");
    libc.write(fd, word, word.length);
    assert.equal(await peer.read(new Uint8Array(100)), word.length);
    for (let n = 0; n < 3; n++) assert.equal(await peer.write(word), word.length);
    const { sent, received, retransmitted, outOfOrder } = path.countSegments()!;
    assert.deepEqual([sent, received, retransmitted, outOfOrder], [1, 3, 0, 0]);
  } finally {
    libc.close(fd);
  }
});
