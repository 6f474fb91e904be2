/** The TLS settings of a running proxy, and what it tells of each connection (`docs/spec/identity-spire.md` 6.1). */
import { strict as assert } from "node:assert";
import { credential, sharedCa } from "./support/credentials.ts";
import { knock, speak } from "./support/hbone_peer.ts";
import { identityOf, meshText } from "./support/mesh.ts";
import { Proxy } from "./support/proxy.ts";
import { nodeSettings } from "./support/settings.ts";
import { tempDir } from "./support/temp_dir.ts";

const IP = "127.0.0.3";
const MESH = meshText([{ name: "b", ips: [IP] }]);
const NO_HTTP2 = "GET / HTTP/1.1\r\n\r\n";

for (
  const [setting, answer, version] of [
    ["true", "no HTTP/2 connection preface", "TLSv1.2"],
    // Exactly so, nothing else.
    ["1", "", null],
  ] as const
) {
  Deno.test(`TLS policy, identity T7: TLS12_ENABLED=${setting}`, async () => {
    using folder = tempDir();
    const settings = nodeSettings({ name: "b", ip: IP, mesh: MESH, folder: folder.path }, {
      TLS12_ENABLED: setting,
      RUST_LOG: "debug",
    });
    await using proxy = await Proxy.ready(settings);
    const inbound = await proxy.place("inbound");
    const peer = { credential: credential(sharedCa(folder.path), identityOf("a")), version: "TLSv1.2" } as const;
    const { said } = await speak(inbound, peer, NO_HTTP2);
    assert.ok(said.endsWith(answer), said);
    if (version === null) {
      assert.equal((await knock(inbound, peer)).how, "received fatal alert: ProtocolVersion");
      return;
    }
    const { fields } = await proxy.line(/proxy::inbound\tHBONE connection established/);
    assert.equal(fields.get("version"), version);
    assert.match(fields.get("cipher")!, /^ECDHE-ECDSA-AES(256-GCM-SHA384|128-GCM-SHA256)$/);
    assert.match(fields.get("group")!, /^(x25519|X25519|secp256r1|P-256)$/);
    assert.equal(fields.get("identity"), identityOf("a"));
  });
}
