/** The TLS settings of a running proxy, and its log about connections (`docs/spec/identity-spire.md` 6.1). */
import { strict as assert } from "node:assert";
import { credential, sharedCa } from "../testkit/credentials.ts";
import { exchange, handshake } from "../testkit/hbone_peer.ts";
import { awsLc, openSsl35 } from "../testkit/tls_libraries.ts";
import { identityOf, meshText } from "../lab/mesh.ts";
import { plan } from "../lab/needs.ts";
import { Proxy } from "../lab/proxy.ts";
import { nodeSettings } from "../lab/settings.ts";
import { tempDir } from "../lab/temp_dir.ts";

const IP = "127.0.0.3";
const MESH = meshText([{ name: "b", ips: [IP] }]);
const NO_HTTP2 = "GET / HTTP/1.1\r\n\r\n";

for (
  const [setting, answer, version] of [
    ["true", "no HTTP/2 connection preface", "TLSv1.2"],
    // Only this exact value.
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
    const { received } = await exchange(inbound, peer, NO_HTTP2);
    assert.ok(received.endsWith(answer), received);
    if (version === null) {
      assert.equal((await handshake(inbound, peer)).reason, "received fatal alert: ProtocolVersion");
      return;
    }
    const { fields } = await proxy.line(/proxy::inbound\tHBONE connection established/);
    assert.equal(fields.get("version"), version);
    assert.match(fields.get("cipher")!, /^ECDHE-ECDSA-AES(256-GCM-SHA384|128-GCM-SHA256)$/);
    assert.match(fields.get("group")!, /^(x25519|X25519|secp256r1|P-256)$/);
    assert.equal(fields.get("identity"), identityOf("a"));
  });
}

const postQuantum = async (library: string) => {
  using folder = tempDir();
  const settings = nodeSettings({ name: "b", ip: IP, mesh: MESH, folder: folder.path }, {
    TLS_LIBRARY: library,
    COMPLIANCE_POLICY: "pqc",
    RUST_LOG: "debug",
  });
  await using proxy = await Proxy.ready(settings);
  // The peer offers X25519 first, and the other group second.
  const peer = { credential: credential(sharedCa(folder.path), identityOf("a")) };
  const { received } = await exchange(await proxy.place("inbound"), peer, NO_HTTP2);
  assert.ok(received.endsWith("no HTTP/2 connection preface"), received);
  const { fields } = await proxy.line(/proxy::inbound\tHBONE connection established/);
  assert.equal(fields.get("group"), "X25519MLKEM768");
  // The policy applies to all connections of this proxy.
  assert.ok(!proxy.program.printed.some((line) => line.includes("does not hold for")));
};

for (const [name, tested] of [["OpenSSL 3.5", openSsl35()], ["AWS-LC", awsLc()]] as const) {
  Deno.test(plan(
    "lack" in tested ? [tested.lack] : [],
    `TLS policy, identity T9: COMPLIANCE_POLICY=pqc of a running proxy with ${name}`,
    () => "library" in tested ? postQuantum(tested.library.path) : Promise.resolve(),
    Deno.env.get("CI") === "true",
  ));
}

Deno.test("TLS policy, identity S42: a running proxy names connections to which its policy does not apply", async () => {
  using folder = tempDir();
  const settings = nodeSettings({ name: "b", ip: IP, mesh: MESH, folder: folder.path }, {
    COMPLIANCE_POLICY: "fips",
  });
  await using proxy = await Proxy.ready(settings);
  await proxy.line(
    /\twarn\t.*COMPLIANCE_POLICY=fips is not known, so it is ignored; known are pqc, fips-140-2, fips-140-3/,
  );
});
