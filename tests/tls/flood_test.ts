/** Floods of records without data (`docs/spec/observed.md` O33): they are limited, and the event loop is not blocked. */
import { strict as assert } from "node:assert";
import { testNeeding } from "../../lab/needs.ts";
import { Program } from "../../lab/program.ts";
import { Pump } from "../../src/net/testkit/contract_kit.ts";
import { client, OpensslFiles, sClient, server, type TlsRig, withTls } from "./rig.ts";

const NOTHING = new Uint8Array(0);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

testNeeding(
  { packages: ["openssl"] },
  "TLS: a peer may update its keys and request an update of ours",
  () =>
    withTls(async (rig) => {
      using files = new OpensslFiles();
      const { listener, outcomes, address } = rig.listen(rig.context(server));
      const input = "echo one; for i in 1 2 3; do sleep 0.1; echo K; done; sleep 0.1; echo two; exec tail -f /dev/null";
      await using program = sClient(address, ["-alpn", "h2", ...files.identity("client", client), "-msg"], input);
      await rig.sockets.run(() => outcomes.length > 0);
      const pump = new Pump(rig.sockets.network, outcomes[0]!.duplex!, NOTHING, { end: false });
      await rig.sockets.run(() => text(pump.bytes).endsWith("two\n"));
      // The answer to the request is sent with our next bytes.
      outcomes[0]!.duplex!.write(new TextEncoder().encode("answer\n"));
      await program.line(/^<<<.*KeyUpdate/);
      await program.line(/^answer/);
      listener.close();
    }),
);

/** Runs the flooder against one of our servers. Returns how many requests it could send until it was disconnected. */
async function flood(rig: TlsRig, most: readonly string[]): Promise<{ sent: number; pump: Pump }> {
  using files = new OpensslFiles();
  const { listener, outcomes, address } = rig.listen(rig.context(server));
  const script = new URL("../fixtures/tls_flooder.ts", import.meta.url).pathname;
  const [, certificate, , key] = files.identity("client", client);
  const args = ["run", "-A", script, String(address.port), certificate!, key!, ...most];
  await using program = new Program(Deno.execPath(), { args });
  await rig.sockets.run(() => outcomes.length > 0);
  const pump = new Pump(rig.sockets.network, outcomes[0]!.duplex!, NOTHING, { end: false });
  await rig.sockets.run(() => pump.failure !== null);
  outcomes[0]!.duplex!.close(true);
  const [, sent] = await program.line(/^stopped after (\d+)/);
  listener.close();
  return { sent: Number(sent), pump };
}

Deno.test("TLS: a flood of key updates ends with TLS_FLOOD, and does not block the loop", () =>
  withTls(async (rig) => {
    const { sent, pump } = await flood(rig, []);
    assert.equal(pump.failure?.code, "TLS_FLOOD");
    assert.equal(pump.failure?.by, "us");
    // Buffers limit what was sent until then. If OpenSSL had blocked the loop, it would have read all of it, for seconds.
    assert.ok(sent < 100_000, `${sent} sent`);
  }));

Deno.test("TLS: a byte of data after each key update does not prevent flood detection", () =>
  withTls(async (rig) => {
    const { pump } = await flood(rig, ["100000"]);
    assert.equal(pump.failure?.code, "TLS_FLOOD");
    assert.ok(pump.bytes.length <= 100, `${pump.bytes.length} pairs were taken`);
  }));
