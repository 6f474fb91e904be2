/** Attacks that try to make a running proxy do what it must not do (`docs/spec/observed.md` O33, O35, O36). */
import { strict as assert } from "node:assert";
import type { HeaderList } from "../src/h2/seam.ts";
import { data } from "../src/h2/testkit/frames.ts";
import { Neighbour } from "../testkit/attacks/neighbour.ts";
import { Peer } from "../testkit/attacks/peer.ts";
import { Target } from "../testkit/attacks/target.ts";
import { Program } from "../lab/program.ts";
import { tempDir } from "../lab/temp_dir.ts";

const IP = "127.77.4.1";
const PROTOCOL_ERROR = 1;

Deno.test("observed O33: a flood of TLS key updates ends the connection, and is logged", async () => {
  // At the address that the flooder connects to.
  await using target = await Target.start("127.0.0.1");
  await using neighbour = await Neighbour.open(target);
  using folder = tempDir();
  const certificate = folder.write("certificate.pem", target.site.credentials.cert);
  const key = folder.write("key.pem", target.site.credentials.key);
  const script = new URL("fixtures/tls_flooder.ts", import.meta.url).pathname;
  const args = ["run", "-A", script, `${target.site.port}`, certificate, key];
  await using flooder = new Program(Deno.execPath(), { args });
  await flooder.line(/^connected/);
  const line = await target.proxy.line(/HBONE connection closed: the peer sends TLS records that carry no data/);
  assert.equal(line.level, "warn");
  assert.equal(line.fields.get("identity"), "spiffe://cluster.local/ns/test/sa/attacker");
  await neighbour.echoes();
  await flooder.ended();
  await target.proxy.descriptorsBackTo(target.atRest + Neighbour.DESCRIPTORS);
});

Deno.test("observed O35: the proxy's own ports cannot be reached as applications", async (t) => {
  // The kernel chose all of these ports.
  await using target = await Target.start(IP);
  await using peer = await Peer.connect(target.site);
  const ask = async (authority: string) => {
    const stream = peer.stream(peer.tunnel(authority));
    assert.ok(await peer.until(() => stream.status !== null));
    return stream.status;
  };
  for (const name of ["admin", "stats", "readiness", "outbound", "inbound plaintext", "inbound"]) {
    await t.step(`port of ${name}`, async () => {
      const { port } = await target.proxy.place(name);
      assert.equal(await ask(`${IP}:${port}`), "503");
      assert.equal(await ask(`${IP}:0${port}`), "400");
    });
  }
  await t.step("on loopback", async () => {
    const { port } = await target.proxy.place("admin");
    assert.equal(await ask(`127.0.0.1:${port}`), "400");
  });
  await t.step("an application with a leading zero", async () => {
    assert.equal(await ask(target.authority("echo").replace(":", ":0")), "400");
  });
  assert.equal(await ask(target.authority("echo")), "200");
});

/** Fields that make a request malformed (RFC 9113 §8.2.1). */
const MALFORMED: HeaderList = [["Upper-Case", "x"], ["x", "a\0b"], ["x", "a\nb"], ["connection", "close"], ["", "x"]];

Deno.test("observed O36: a malformed request ends its stream and no other", async (t) => {
  await using target = await Target.start(IP);
  await using peer = await Peer.connect(target.site);
  const good = peer.tunnel(target.authority("echo"));
  assert.ok(await peer.until(() => peer.stream(good).status === "200"));
  for (const field of MALFORMED) {
    await t.step(JSON.stringify(field), async () => {
      const id = peer.newId();
      peer.send(peer.headers(id, [[":method", "CONNECT"], [":authority", target.authority("echo")], field]));
      assert.ok(await peer.until(() => peer.stream(id).reset !== null), JSON.stringify(peer.goAway));
      assert.equal(peer.stream(id).reset, PROTOCOL_ERROR);
      const before = peer.stream(good).received;
      peer.send(data(good, [1, 2, 3]));
      assert.ok(await peer.until(() => peer.stream(good).received === before + 3));
    });
  }
});
