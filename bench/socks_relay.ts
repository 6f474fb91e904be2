/**
 * Lets a program without SOCKS support use the proxy's SOCKS5 port: `socks_relay.ts LISTEN_PORT SOCKS_PORT IP:PORT`.
 * Only for runs without namespaces; it costs much more than the proxies it stands before.
 */
const [listenPort, socksPort, target = ""] = Deno.args;
const [ip = "", targetPort] = target.split(":");

/** RFC 1928 4: version 5, CONNECT, reserved, IPv4, address, port. */
const connect = new Uint8Array([
  5,
  1,
  0,
  1,
  ...ip.split(".").map(Number),
  Number(targetPort) >> 8,
  Number(targetPort) & 255,
]);

async function readExactly(connection: Deno.TcpConn, length: number): Promise<void> {
  const buffer = new Uint8Array(length);
  for (let at = 0; at < length;) {
    const got = await connection.read(buffer.subarray(at));
    if (got === null) throw new Error("Cannot use SOCKS: the proxy closed the connection");
    at += got;
  }
}

async function relay(client: Deno.TcpConn): Promise<void> {
  const proxy = await Deno.connect({ hostname: "127.0.0.1", port: Number(socksPort) });
  proxy.setNoDelay(true);
  client.setNoDelay(true);
  await proxy.write(new Uint8Array([5, 1, 0]));
  await readExactly(proxy, 2);
  await proxy.write(connect);
  await readExactly(proxy, 10);
  await Promise.all([client.readable.pipeTo(proxy.writable), proxy.readable.pipeTo(client.writable)]);
}

for await (const client of Deno.listen({ hostname: "127.0.0.1", port: Number(listenPort) })) {
  // The load generator reports broken connections.
  relay(client).catch(() => {});
}
