/** A half-closed connection that moves no bytes is closed, logged and counted (`HALF_CLOSED_TIMEOUT`). */
import { strict as assert } from "node:assert";
import { identityOf, meshText } from "../lab/mesh.ts";
import { Proxy } from "../lab/proxy.ts";
import { scrape, sumOf } from "../lab/scrape.ts";
import { nodeSettings } from "../lab/settings.ts";
import { connectBySocks } from "../lab/socks.ts";
import { tempDir } from "../lab/temp_dir.ts";
import { serveApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { HbonePeer } from "../testkit/hbone_peer.ts";

const IP = "127.0.0.43";
/** An address outside of the mesh. */
const OUTSIDE = "127.0.0.44";
/** RFC 9113 7: CONNECT_ERROR. */
const CONNECT_ERROR = 10;

/** Reads until its client ends, answers, and does not end its side before `over`. */
function forgetfulApp(hostname: string, over: Promise<void>) {
  return serveApp(hostname, async (connection) => {
    for (const bytes = new Uint8Array(64); await connection.read(bytes) !== null;);
    await connection.write(new TextEncoder().encode("bye"));
    await over;
  });
}

Deno.test("half-closed: connections that move no bytes are closed after HALF_CLOSED_TIMEOUT", async () => {
  using folder = tempDir();
  await using proxy = await Proxy.ready(
    nodeSettings({ name: "b", ip: IP, mesh: meshText([{ name: "b", ips: [IP] }]), folder: folder.path }, {
      HALF_CLOSED_TIMEOUT: "1s",
    }),
  );
  const over = Promise.withResolvers<void>();
  await using app = forgetfulApp(IP, over.promise);
  await using outside = forgetfulApp(OUTSIDE, over.promise);
  // Runs before the applications are disposed of, which wait for their handlers.
  using _ = { [Symbol.dispose]: () => over.resolve() };
  const identity = credential(sharedCa(folder.path), identityOf("a"));
  await using peer = await HbonePeer.connect(await proxy.place("inbound"), identity);
  const stream = await peer.tunnel(app.authority);
  stream.end();
  const socks = (await proxy.place("socks5")).port;
  using outbound = await connectBySocks(socks, { ip: OUTSIDE, port: outside.port });
  await outbound.closeWrite();
  assert.equal(await stream.read(3), "bye");
  const bytes = new Uint8Array(3);
  assert.equal(await outbound.read(bytes), 3);
  assert.equal(await stream.resetCode(), CONNECT_ERROR);
  await assert.rejects(outbound.read(bytes), { code: "ECONNRESET" });
  await proxy.program.matches(/\tconnection complete\t/, 2);
  const ends = proxy.access.map(({ level, fields }) => `${level} ${fields.get("direction")}: ${fields.get("error")}`);
  assert.deepEqual(
    ends.sort(),
    ["inbound", "outbound"].map((direction) =>
      `error ${direction}: half-closed and no bytes moved for 1s (HALF_CLOSED_TIMEOUT)`
    ),
  );
  await proxy.line(/warn\t.*closed half-closed connections that moved no bytes.*HALF_CLOSED_TIMEOUT="1s"/);
  const samples = await scrape(await proxy.url("stats", "/metrics"));
  for (const reporter of ["source", "destination"]) {
    assert.equal(sumOf(samples, "istio_tcp_half_closed_timeouts_total", { reporter }), 1, reporter);
    assert.equal(sumOf(samples, "istio_tcp_connections_half_closed", { reporter }), 0, reporter);
  }
  assert.equal((await proxy.stop()).code, 0);
});
