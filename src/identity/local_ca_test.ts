import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import { equalBytes } from "./certificate.ts";
import { createLocalCa, loadOrCreateLocalCa, LocalCaError } from "./local_ca.ts";
import { LocalAuthority } from "./local_authority.ts";
import { isRefusal } from "./peer_chain.ts";
import { encodePem } from "./pem.ts";
import { workloadId } from "./spiffe_id.ts";
import { makeCa, makeLeaf, newKey, NOW } from "./testkit/certificates.ts";
import { bundlesForAnyDomain, TrustStore } from "./trust_bundles.ts";
import { verifyPeer } from "./verify_peer.ts";

async function inDirectory(run: (certificate: string, key: string, directory: string) => Promise<void> | void) {
  const directory = await Deno.makeTempDir();
  try {
    await run(`${directory}/ca.pem`, `${directory}/ca.key`, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("local CA files: created once with mode 0600, then read", () =>
  inDirectory((certificate, key, directory) => {
    const first = loadOrCreateLocalCa(certificate, key, NOW);
    const second = loadOrCreateLocalCa(certificate, key, NOW + 1000);
    assert.deepEqual(second.certificate, first.certificate);
    for (const path of [certificate, key]) assert.equal(Deno.statSync(path).mode! & 0o777, 0o600);
    assert.deepEqual([...Deno.readDirSync(directory)].map((entry) => entry.name).sort(), ["ca.key", "ca.pem"]);
  }));

Deno.test("local CA files: two processes that share them accept each other", () =>
  inDirectory(async (certificate, key) => {
    const [one, two] = [loadOrCreateLocalCa(certificate, key, NOW), loadOrCreateLocalCa(certificate, key, NOW)];
    const subject = { id: workloadId("td", "a", "b")!, workloadUid: null };
    const issued = await new LocalAuthority({ ca: one, now: () => NOW }).fetch(subject, new AbortController().signal);
    const trust = new TrustStore(bundlesForAnyDomain([two.certificate]));
    const chain = [...issued.chain, two.certificate];
    const verdict = verifyPeer(chain, "client", trust, { kind: "trust-domain", trustDomain: "td" }, NOW);
    assert.ok(!isRefusal(verdict));
  }));

Deno.test("local CA files: processes that start at the same time get the same authority", () =>
  inDirectory(async (certificate, key) => {
    const code = `import { loadOrCreateLocalCa } from ${JSON.stringify(import.meta.resolve("./local_ca.ts"))};
      const ca = loadOrCreateLocalCa(${JSON.stringify(certificate)}, ${JSON.stringify(key)}, Date.now());
      console.log(ca.certificate.toHex());`;
    const start = () =>
      new Deno.Command(Deno.execPath(), { args: ["eval", "--no-lock", code], stderr: "piped" }).output();
    const outputs = await Promise.all([start(), start(), start()]);
    const printed = outputs.map((output) => new TextDecoder().decode(output.stdout));
    assert.match(printed[0]!, /^30[0-9a-f]+\n$/);
    assert.equal(new Set(printed).size, 1);
  }));

Deno.test("local CA files: a deleted certificate is created again with the same key", () =>
  inDirectory((certificate, key) => {
    const first = loadOrCreateLocalCa(certificate, key, NOW);
    Deno.removeSync(certificate);
    const second = loadOrCreateLocalCa(certificate, key, NOW);
    assert.ok(!equalBytes(first.certificate, second.certificate));
    assert.deepEqual(second.name, first.name);
    assert.deepEqual(second.keyId, first.keyId);
  }));

Deno.test("local CA files: an RSA key in PKCS#1 made by other tools is accepted", () =>
  inDirectory(async (certificate, key) => {
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const theirs = makeCa("theirs", { key: privateKey });
    Deno.writeTextFileSync(key, privateKey.export({ format: "pem", type: "pkcs1" }) as string);
    Deno.writeTextFileSync(certificate, encodePem("CERTIFICATE", theirs.certificate));
    const ca = loadOrCreateLocalCa(certificate, key, NOW);
    const subject = { id: workloadId("td", "a", "b")!, workloadUid: null };
    const issued = await new LocalAuthority({ ca, now: () => NOW }).fetch(subject, new AbortController().signal);
    assert.equal(issued.chain.length, 1);
  }));

const pem = (der: Uint8Array) => encodePem("CERTIFICATE", der);
const pkcs8 = (key = newKey()) => encodePem("PRIVATE KEY", key.export({ format: "der", type: "pkcs8" }));
const other = makeCa("other");

const unusable: readonly [what: string, certificate: string, key: string | null, text: RegExp][] = [
  ["certificate without key", pem(other.certificate), null, /CA key ".*ca\.key" is missing/],
  ["another key", pem(other.certificate), pkcs8(), /does not belong to the CA key/],
  ["no CA", pem(makeLeaf(other, "spiffe://td/x", { key: other.key })), pkcs8(other.key), /is no CA/],
  ["no PEM", "hello", pkcs8(), /holds no certificate/],
  ["broken PEM", "-----BEGIN CERTIFICATE-----\n", pkcs8(), /cannot be read/],
  ["garbage in PEM", pem(Uint8Array.of(1, 2)), pkcs8(), /cannot be used/],
  ["no key in the key file", pem(other.certificate), "hello", /no unencrypted private key/],
  [
    "key of another type",
    pem(other.certificate),
    encodePem("PRIVATE KEY", generateKeyPairSync("ed25519").privateKey.export({ format: "der", type: "pkcs8" })),
    /must be EC or RSA/,
  ],
];

for (const [what, certificateText, keyText, text] of unusable) {
  Deno.test(`local CA files refused: ${what}`, () =>
    inDirectory((certificate, key) => {
      Deno.writeTextFileSync(certificate, certificateText);
      if (keyText !== null) Deno.writeTextFileSync(key, keyText);
      assert.throws(() => loadOrCreateLocalCa(certificate, key, NOW), (error) => {
        assert.ok(error instanceof LocalCaError);
        assert.match(error.message, text);
        return true;
      });
    }));
}

Deno.test("local CA in memory: each has its own key", () => {
  const [one, two] = [createLocalCa(NOW), createLocalCa(NOW)];
  assert.notDeepEqual(one.keyId, two.keyId);
});
