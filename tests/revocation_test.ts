/** `CRL_PATH` of a running proxy: at the start, for new connections, and for open connections when it changes. */
import { strict as assert } from "node:assert";
import { encodePem } from "../src/identity/pem.ts";
import { makeCrl } from "../src/identity/testkit/certificates.ts";
import { echoApp } from "../testkit/apps.ts";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { handshake, HbonePeer } from "../testkit/hbone_peer.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { inTime } from "../lab/eventually.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";

const IP = "127.0.0.3";
const GOOD = Uint8Array.of(1, 1), BAD = Uint8Array.of(1, 2);

Deno.test("revocation: a listed peer is disconnected and refused; a broken file changes nothing and is logged", async () => {
  using folder = tempDir();
  await using app = echoApp(IP);
  const ca = sharedCa(folder.path);
  const peerOf = (serial: Uint8Array) => credential(ca, identityOf("a"), { serial });
  const path = `${folder.path}/crl.pem`;
  const publish = (text: string) => {
    Deno.writeTextFileSync(`${path}.new`, text);
    Deno.renameSync(`${path}.new`, path);
  };
  const list = (...serials: Uint8Array[]) => encodePem("X509 CRL", makeCrl(ca, serials));
  publish(list());
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  const settings = nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path });
  await using proxy = await Proxy.ready({ ...settings, CRL_PATH: path });
  const inbound = await proxy.place("inbound");
  await using good = await HbonePeer.connect(inbound, peerOf(GOOD));
  await using bad = await HbonePeer.connect(inbound, peerOf(BAD));
  const [kept, lost] = [await good.tunnel(app.authority), await bad.tunnel(app.authority)];

  publish("-----BEGIN X509 CRL-----\nbroken");
  await proxy.line(/cannot use the new revocation list: .*the last good one stays in force/);
  publish(list(BAD));
  await inTime("the end of the connection", bad.closed);
  assert.deepEqual(bad.goAways, [0]);
  assert.equal(await lost.status, 200);
  await proxy.line(/connection complete\t.*error="connection closed: peer certificate revoked by CRL"/);
  assert.equal(
    (await handshake(inbound, { credential: peerOf(BAD) })).reason,
    "received fatal alert: CertificateRevoked",
  );
  await proxy.line(/connection failed\t.*certificate 258 was revoked by its issuer \(O=Local CA\)/);
  kept.send("still here");
  assert.equal(await kept.read(10), "still here");
  const metrics = await (await fetch(await proxy.url("stats", "/metrics"))).text();
  assert.match(metrics, /^istio_crl_policy_rejections_total\{reporter="destination"\} 2$/m);
});

Deno.test("revocation: with an unusable file the proxy serves no pod at the start, and goes on once it can be read", async () => {
  using folder = tempDir();
  await using app = echoApp(IP);
  const ca = sharedCa(folder.path);
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  const settings = nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path });
  const path = folder.write("crl.pem", "not a valid CRL");
  await using proxy = new Proxy({ ...settings, CRL_PATH: path });
  await proxy.line(
    /cannot use CRL_PATH ".*crl\.pem": CRL error: failed to parse crl 1: .* is not ready until it can be/,
  );
  await proxy.place("stats");
  const ready = await fetch(await proxy.url("readiness", "/healthz/ready"));
  assert.equal(ready.status, 500);
  assert.match(await ready.text(), /revocation lists/);
  assert.ok(!proxy.lines.some(({ fields }) => fields.get("component") === "inbound"), "no listener for peers");
  Deno.writeTextFileSync(`${path}.new`, encodePem("X509 CRL", makeCrl(ca, [BAD])));
  Deno.renameSync(`${path}.new`, path);
  await proxy.line(/marking server ready/);
  const inbound = await proxy.place("inbound");
  const peerOf = (serial: Uint8Array) => credential(ca, identityOf("a"), { serial });
  assert.equal(
    (await handshake(inbound, { credential: peerOf(BAD) })).reason,
    "received fatal alert: CertificateRevoked",
  );
  await using good = await HbonePeer.connect(inbound, peerOf(GOOD));
  await good.tunnel(app.authority);
});

Deno.test("revocation: a proxy that waits for a usable file ends on SIGTERM", async () => {
  using folder = tempDir();
  const mesh = meshText([{ name: "b", ips: [IP] }]);
  const settings = nodeSettings({ name: "b", ip: IP, mesh, folder: folder.path });
  await using proxy = new Proxy({ ...settings, CRL_PATH: folder.write("crl.pem", "not a valid CRL") });
  await proxy.place("stats");
  assert.equal((await proxy.stop()).code, 0);
});
