/** Settings that a TLS library refuses, and the post-quantum policy (`docs/spec/identity-spire.md` 6.1). */
import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import tls from "node:tls";
import { encodePem } from "../../src/identity/pem.ts";
import { plan } from "../../lab/needs.ts";
import { LOOPBACK_V4 } from "../../src/net/address.ts";
import { Pump } from "../../src/net/testkit/contract_kit.ts";
import { POST_QUANTUM_GROUP } from "../../src/identity/tls_policy.ts";
import { anyOpenSsl, awsLc, openSsl35 } from "../../testkit/tls_libraries.ts";
import {
  client,
  CLIENT_ID,
  type Credential,
  credential,
  type EndOptions,
  library,
  root,
  server,
  SERVER_ID,
  type TlsRig,
  withTls,
} from "./rig.ts";

const wrong: readonly [what: string, credential: Credential, options: EndOptions, text: RegExp][] = [
  ["a key of another certificate", { ...client, key: server.key }, {}, /private key/],
  ["no certificate", { ...client, chain: [] }, {}, /empty certificate chain/],
  ["an invalid certificate", { ...client, chain: [Uint8Array.of(1, 2, 3)] }, {}, /the certificate/],
  ["an empty certificate", { ...client, chain: [new Uint8Array(0)] }, {}, /the certificate/],
  ["an invalid intermediate", { ...client, chain: [...client.chain, Uint8Array.of(48, 0)] }, {}, /intermediate 1/],
  ["an invalid anchor", client, { anchors: [{ ...root, certificate: Uint8Array.of(1) }] }, /trust anchor 0/],
  ["an unknown suite", client, { ciphers: "TLS_ROT13" }, /cipher list TLS_ROT13/],
  ["an unknown suite of TLS 1.2", client, { tls12Ciphers: "ROT13" }, /cipher list ROT13/],
  ["an unknown group", client, { groups: "NO-SUCH-GROUP" }, /key exchange groups NO-SUCH-GROUP/],
];

for (const [what, its, options, text] of wrong) {
  Deno.test(`TLS settings: ${what} is refused with a reason`, () =>
    withTls((rig) => {
      assert.throws(() => rig.context(its, options), (error) => {
        assert.ok(error instanceof Error && error.name === "TlsSettingsError");
        assert.match(error.message, text);
        return true;
      });
      return Promise.resolve();
    }));
}

const openSsl = anyOpenSsl();

// Not every library looks at the size. `identity/check_issued.ts` refuses such a certificate before it gets here.
Deno.test("TLS: RSA certificates need 2048 bits or more with OpenSSL", () =>
  withTls(async (rig) => {
    const rsa = (modulusLength: number) => generateKeyPairSync("rsa", { modulusLength }).privateKey;
    const strong = credential(root, SERVER_ID, { key: rsa(2048) });
    await rig.pair(rig.context(client), rig.context(strong));
    assert.throws(() => rig.context(credential(root, SERVER_ID, { key: rsa(1024) })), /key too small/);
  }, openSsl));

const postQuantum = [["OpenSSL 3.5", openSsl35()], ["AWS-LC", awsLc()]] as const;

function test(what: string, body: (rig: TlsRig) => Promise<void>): void {
  for (const [name, tested] of postQuantum) {
    const missing = "lack" in tested ? [tested.lack] : [];
    const run = async () => {
      if ("library" in tested) await withTls(body, tested.library);
    };
    Deno.test(plan(missing, `${what}, with ${name}`, run, Deno.env.get("CI") === "true"));
  }
}

test("TLS: post-quantum only", async (rig) => {
  const options = { groups: POST_QUANTUM_GROUP };
  const { listener, outcomes, address } = rig.listen(rig.context(server, options));
  const ours = await rig.connect(address, rig.context(client, options));
  await rig.sockets.run(() => outcomes.length > 0);
  for (const outcome of [ours, outcomes[0]!]) assert.equal(outcome.peer?.group, POST_QUANTUM_GROUP);
  listener.close();
});

test("identity T9: post-quantum only refuses a peer with X25519 only", async (rig) => {
  const { listener, outcomes, address } = rig.listen(rig.context(server, { groups: POST_QUANTUM_GROUP }));
  const ours = await rig.connect(address, rig.context(credential(root, CLIENT_ID), { groups: "X25519" }));
  await rig.sockets.run(() => outcomes.length > 0);
  assert.match(ours.ending?.message ?? "", /alert handshake_failure/);
  assert.match(outcomes[0]!.ending?.message ?? "", /no suitable key share|no suitable groups|no shared group/);
  listener.close();
});

test("TLS: a client that prefers X25519 reaches a server that takes the post-quantum group only", async (rig) => {
  const { listener, outcomes, address } = rig.listen(rig.context(server, { groups: POST_QUANTUM_GROUP }));
  const ours = await rig.connect(address, rig.context(client, { groups: `X25519:${POST_QUANTUM_GROUP}` }));
  await rig.sockets.run(() => outcomes.length > 0);
  for (const outcome of [ours, outcomes[0]!]) assert.equal(outcome.peer?.group, POST_QUANTUM_GROUP);
  listener.close();
});

// A key share of the post-quantum group has 1216 bytes, and a key pair costs a tenth of a handshake.
test("TLS: a client predicts one group, the first", async (rig) => {
  const pumps: Pump[] = [];
  const at = { address: { ip: LOOPBACK_V4, port: 0 } };
  const listener = rig.sockets.network.listen(at, ({ duplex }) => {
    pumps.push(new Pump(rig.sockets.network, duplex, new Uint8Array(0), { end: false }));
  });
  const failed = rig.connect(listener.local, rig.context(client, { groups: `X25519:${POST_QUANTUM_GROUP}` }));
  await rig.sockets.run(() => pumps.some((pump) => pump.receivedBytes > 0));
  const hello = pumps[0]!.receivedBytes;
  assert.ok(hello < 1000, `a ClientHello of ${hello} bytes`);
  pumps[0]!.duplex.close(true);
  assert.equal((await failed).ending?.by, "peer");
  listener.close();
});

// docs/certificates.md says it: connections to istiod and its CA use the runtime's TLS, so the server must require the group.
test("identity S42: the runtime's TLS uses the post-quantum group when the server requires it", async (rig) => {
  const { listener, outcomes, address } = rig.listen(rig.context(server, { groups: POST_QUANTUM_GROUP }));
  const socket = tls.connect({
    host: "127.0.0.1",
    port: address.port,
    cert: client.chain.map((der) => encodePem("CERTIFICATE", der)).join(""),
    key: client.key.export({ format: "pem", type: "pkcs8" }),
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  });
  socket.on("error", () => {});
  await rig.sockets.run(() => outcomes.length > 0);
  assert.equal(outcomes[0]!.peer?.group, POST_QUANTUM_GROUP, outcomes[0]!.ending?.message ?? "");
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.destroy();
  await closed;
  listener.close();
});

Deno.test("identity S42: a library without the post-quantum group refuses the policy, another accepts it", () =>
  withTls((rig) => {
    const make = () => rig.context(client, { groups: POST_QUANTUM_GROUP });
    if (/^OpenSSL 3\.[0-4]\./.test(library.version)) assert.throws(make, /key exchange groups X25519MLKEM768/);
    else assert.doesNotThrow(make);
    return Promise.resolve();
  }));
