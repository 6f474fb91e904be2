import { strict as assert } from "node:assert";
import { testNeeding } from "../../lab/needs.ts";
import { parseIp, type SocketAddress } from "./address.ts";
import { encodeSockaddr } from "./sockaddr.ts";
import { ENOENT } from "../os/errno.ts";
import { destroyTcpSocket } from "../os/sock_diag.ts";

function name({ hostname, port }: Deno.NetAddr): Uint8Array {
  const address: SocketAddress = { ip: parseIp(hostname)!, port };
  return encodeSockaddr(address).slice();
}

for (const hostname of ["127.0.0.1", "::1"]) {
  testNeeding({ root: true }, `a socket of another program is closed by its addresses, ${hostname}`, async () => {
    using listener = Deno.listen({ hostname, port: 0 });
    using client = await Deno.connect({ hostname, port: listener.addr.port });
    using server = await listener.accept();
    const addresses = [name(client.localAddr), name(client.remoteAddr)] as const;
    assert.equal(destroyTcpSocket(...addresses), 0);
    await assert.rejects(client.read(new Uint8Array(1)), Deno.errors.ConnectionAborted);
    await assert.rejects(server.read(new Uint8Array(1)), Deno.errors.ConnectionReset);
    assert.equal(destroyTcpSocket(...addresses), ENOENT);
  });
}
