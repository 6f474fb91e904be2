/**
 * Tests that each TLS library which `TLS_LIBRARY` may name must pass (`docs/spec/identity-spire.md` 6.1 to 6.4). The other
 * tests of this folder are more detailed, with one library.
 */
import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import { lacks, plan } from "../../lab/needs.ts";
import { TLS12_CIPHERS } from "../../src/identity/tls_policy.ts";
import { HOUR } from "../../src/identity/testkit/certificates.ts";
import { payloadOf, Pump } from "../../src/net/testkit/contract_kit.ts";
import { awsLc, boringSsl, openSsl35, systemOpenSsl, type TestedLibrary } from "../../testkit/tls_libraries.ts";
import {
  authority,
  client,
  CLIENT_ID,
  credential,
  now,
  OpensslFiles,
  root,
  sClient,
  server,
  SERVER_ID,
  type TlsRig,
  withTls,
} from "./rig.ts";

const candidates: readonly (readonly [name: string, tested: TestedLibrary])[] = [
  ["the system's OpenSSL", systemOpenSsl()],
  ["OpenSSL 3.5", openSsl35()],
  ["AWS-LC", awsLc()],
  ["BoringSSL", boringSsl()],
];

type Body = (rig: TlsRig, files: OpensslFiles) => Promise<void>;

function forEach(what: string, body: Body, packages: readonly "openssl"[] = []): void {
  for (const [name, tested] of candidates) {
    const missing = "lack" in tested ? [tested.lack] : [];
    const run = async () => {
      using files = new OpensslFiles();
      if ("library" in tested) await withTls((rig) => body(rig, files), tested.library);
    };
    Deno.test(
      plan([...missing, ...lacks({ packages })], `TLS with ${name}: ${what}`, run, Deno.env.get("CI") === "true"),
    );
  }
}

forEach(
  "a handshake succeeds and reports its parameters; bytes and half-close work in both directions",
  async (rig) => {
    const { listener, outcomes, address } = rig.listen(rig.context(server));
    const ours = await rig.connect(address, rig.context(client));
    await rig.sockets.run(() => outcomes.length > 0);
    const theirs = outcomes[0]!;
    assert.deepEqual(ours.peer?.chain, [server.chain[0], root.certificate]);
    assert.deepEqual(theirs.peer?.chain, [client.chain[0], root.certificate]);
    for (const { peer } of [ours, theirs]) {
      assert.equal(peer?.version, "TLSv1.3");
      assert.match(peer!.cipher, /^TLS_AES_(256_GCM_SHA384|128_GCM_SHA256)$/);
      assert.match(peer!.group, /^x25519$/i);
    }
    const left = new Pump(rig.sockets.network, ours.duplex!, payloadOf(300_000, 1));
    const right = new Pump(rig.sockets.network, theirs.duplex!, payloadOf(50, 2));
    await rig.sockets.run(() => left.done && right.done);
    assert.deepEqual([left.receivedBytes, right.receivedBytes], [50, 300_000]);
    listener.close();
  },
);

forEach("identity T1: both ends accept the old and the new root", async (rig) => {
  const next = authority("the next root");
  const anchors = { anchors: [root, next] };
  await rig.pair(rig.context(client, anchors), rig.context(credential(next, SERVER_ID), anchors));
  await rig.pair(rig.context(credential(next, CLIENT_ID), anchors), rig.context(server, anchors));
});

forEach("identity T7: TLS 1.2 where it is allowed", async (rig, files) => {
  const { listener, outcomes, address } = rig.listen(rig.context(server, { tls12Ciphers: TLS12_CIPHERS }));
  const identity = files.identity("client", client);
  await using program = sClient(address, ["-alpn", "h2", "-tls1_2", ...identity]);
  await program.line(/Protocol\s*: TLSv1.2/);
  await rig.sockets.run(() => outcomes.length > 0);
  assert.equal(outcomes[0]!.peer?.version, "TLSv1.2");
  assert.match(outcomes[0]!.peer!.cipher, /^ECDHE-ECDSA-AES(256-GCM-SHA384|128-GCM-SHA256)$/);
  listener.close();
}, ["openssl"]);

for (const version of ["-tls1_1", "-tls1"]) {
  forEach(
    `identity S43: a client of ${version.slice(1)} is turned away, though TLS 1.2 is allowed`,
    async (rig, files) => {
      const { listener, outcomes, address } = rig.listen(rig.context(server, { tls12Ciphers: TLS12_CIPHERS }));
      const old = ["-alpn", "h2", version, "-cipher", "DEFAULT@SECLEVEL=0", ...files.identity("client", client)];
      await using program = sClient(address, old);
      await rig.sockets.run(() => outcomes.length > 0);
      assert.equal(outcomes[0]!.ending?.code, "TLS_HANDSHAKE");
      await program.line(/alert protocol version/);
      listener.close();
    },
    ["openssl"],
  );
}

forEach(
  "identity S43: no renegotiation and no compression in TLS 1.2, no tickets and so no early data",
  async (rig, files) => {
    const { listener, outcomes, address } = rig.listen(rig.context(server, { tls12Ciphers: TLS12_CIPHERS }));
    const session = files.path("session");
    const args = ["-alpn", "h2", "-tls1_2", "-comp", "-msg", "-sess_out", session, ...files.identity("client", client)];
    // s_client renegotiates when it reads a line with R.
    await using program = sClient(address, args, "echo R; exec tail -f /dev/null");
    await rig.sockets.run(() => outcomes.length > 0);
    const { duplex, peer } = outcomes[0]!;
    assert.equal(peer?.version, "TLSv1.2");
    const pump = new Pump(rig.sockets.network, duplex!, new Uint8Array(0), { end: false });
    const ended = program.ended();
    await rig.sockets.run(() => pump.done || program.printed.some((line) => /no renegotiation/i.test(line)));
    duplex!.close();
    const { output } = await ended;
    assert.match(output, /RENEGOTIATING/);
    assert.match(output, /Compression: NONE/);
    assert.doesNotMatch(output, /NewSessionTicket/);
    assert.equal(output.match(/<<< TLS 1\.2, Handshake .*ServerHello\b/g)?.length, 1, output);
    listener.close();
  },
  ["openssl"],
);

const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
const h2 = ["-alpn", "h2"];

/** Clients that each library refuses, and the reasons. */
const refused: readonly [what: string, args: (files: OpensslFiles) => readonly string[], code: RegExp][] = [
  ["identity S1, T11: no certificate", () => h2, /^TLS_NO_CERTIFICATE$/],
  [
    "identity S2: an unknown authority",
    (files) => [...h2, ...files.identity("c", credential(authority("other"), CLIENT_ID))],
    /^TLS_CERTIFICATE$/,
  ],
  [
    "identity S2: an expired certificate",
    (files) => [...h2, ...files.identity("c", credential(root, CLIENT_ID, { notAfter: now - HOUR / 2 }))],
    /^TLS_CERTIFICATE$/,
  ],
  [
    "identity S2: a certificate of tomorrow",
    (files) => [...h2, ...files.identity("c", credential(root, CLIENT_ID, { notBefore: now + HOUR / 2 }))],
    /^TLS_CERTIFICATE$/,
  ],
  [
    "identity S3, T2: another trust domain",
    (files) => [...h2, ...files.identity("c", credential(root, "spiffe://elsewhere/ns/a/sa/b"))],
    /^TRUST_DOMAIN_MISMATCH$/,
  ],
  [
    "identity 6.1: RSA 1024",
    (files) => [
      ...h2,
      "-cipher",
      "DEFAULT@SECLEVEL=0",
      ...files.identity("c", credential(root, CLIENT_ID, { key: weak })),
    ],
    /^(TLS_CERTIFICATE|KEY_NOT_ALLOWED|TLS_HANDSHAKE)$/,
  ],
  ["identity S43, T7: TLS 1.2", (files) => [...h2, "-tls1_2", ...files.identity("c", client)], /^TLS_HANDSHAKE$/],
  [
    "identity T6: another application protocol",
    (files) => ["-alpn", "http/1.1", ...files.identity("c", client)],
    /^TLS_HANDSHAKE$/,
  ],
  ["dataplane 2.1: no application protocol", (files) => files.identity("c", client), /^TLS_HANDSHAKE$/],
  [
    "identity T8: ChaCha20 only",
    (files) => [...h2, "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256", ...files.identity("c", client)],
    /^TLS_HANDSHAKE$/,
  ],
  [
    "a group that is not supported",
    (files) => [...h2, "-groups", "ffdhe2048", ...files.identity("c", client)],
    /^TLS_HANDSHAKE$/,
  ],
];

for (const [what, args, code] of refused) {
  forEach(`refuses ${what}`, async (rig, files) => {
    const { listener, outcomes, address } = rig.listen(rig.context(server));
    await using _program = sClient(address, args(files));
    await rig.sockets.run(() => outcomes.length > 0);
    assert.match(outcomes[0]!.ending?.code ?? "accepted", code);
    // The listener still serves good clients.
    assert.ok((await rig.connect(address, rig.context(client))).duplex !== undefined);
    listener.close();
  }, ["openssl"]);
}

forEach("identity S33: a revoked certificate is refused with its own alert", async (rig) => {
  const accept = () => ({ code: "REVOKED", message: "certificate 7 was revoked" });
  const { listener, outcomes, address } = rig.listen(rig.context(server, { accept }));
  const { duplex } = await rig.connect(address, rig.context(client));
  const reader = new Pump(rig.sockets.network, duplex!, new Uint8Array(), { end: false });
  await rig.sockets.run(() => reader.failure !== null && outcomes.length > 0);
  assert.equal(outcomes[0]!.ending?.message, "certificate 7 was revoked");
  assert.equal(reader.failure?.message, "the peer sent TLS alert certificate_revoked");
  listener.close();
});

forEach("identity S12, T3: an unexpected server is refused", async (rig) => {
  const { listener, address } = rig.listen(rig.context(server));
  const { ending } = await rig.connect(address, rig.context(client), {
    accept: () => ({ code: "SAN_MISMATCH", message: "not the one" }),
  });
  assert.deepEqual([ending?.code, ending?.message, ending?.by], ["SAN_MISMATCH", "not the one", "us"]);
  listener.close();
});
