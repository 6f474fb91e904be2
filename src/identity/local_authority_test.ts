import { strict as assert } from "node:assert";
import { certificateAuthorityContract } from "./testkit/authority_contract.ts";
import { isMalformed, parseCertificate } from "./certificate.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { createLocalCa } from "./local_ca.ts";
import { LocalAuthority } from "./local_authority.ts";
import { Oid } from "./oids.ts";
import { encodePem } from "./pem.ts";
import { workloadId } from "./spiffe_id.ts";

const subject = (name: string) => ({ id: workloadId("td", "ns", name)!, workloadUid: null });
const signal = new AbortController().signal;

certificateAuthorityContract("local authority", () => {
  const now = () => Date.UTC(2026, 0, 1);
  return Promise.resolve({
    authority: new LocalAuthority({ ca: createLocalCa(now()), now }),
    subjects: [subject("a"), subject("b")] as const,
    refused: null,
    now,
    tearDown: () => Promise.resolve(),
  });
});

Deno.test("local authority, identity T17: times follow the clock", async () => {
  const now = Date.UTC(2023, 2, 11, 5, 57, 26);
  const ca = createLocalCa(now);
  const authority = new LocalAuthority({ ca, now: () => now, lifetime: 7 * 3600_000, backdate: 0 });
  const issued = await authority.fetch(subject("a"), signal);
  assert.equal(new Date(issued.notBefore).toISOString(), "2023-03-11T05:57:26.000Z");
  assert.equal(new Date(issued.notAfter).toISOString(), "2023-03-11T12:57:26.000Z");
  assert.equal(issued.chain.length, 1);
  const usual = await new LocalAuthority({ ca, now: () => now }).fetch(subject("a"), signal);
  assert.equal(usual.notBefore, now - 10_000);
  assert.equal(usual.notAfter, now + 86_400_000);
});

Deno.test("local authority: fields of a leaf", async () => {
  const now = Date.UTC(2026, 0, 1);
  const authority = new LocalAuthority({ ca: createLocalCa(now), now: () => now });
  const [one, two] = [await authority.fetch(subject("a"), signal), await authority.fetch(subject("a"), signal)];
  assert.notEqual(one.serial, two.serial);
  assert.notDeepEqual(one.key, two.key);
  const leaf = parseCertificate(one.chain[0]!);
  assert.ok(!isMalformed(leaf));
  assert.equal(leaf.serial.length, 16);
  assert.ok(leaf.serial[0]! < 0x80);
  assert.equal(leaf.keyUsage, KeyUsage.DIGITAL_SIGNATURE | KeyUsage.KEY_ENCIPHERMENT);
  assert.deepEqual(leaf.extendedKeyUsage, [Oid.SERVER_AUTH, Oid.CLIENT_AUTH]);
  assert.deepEqual(leaf.basicConstraints, { ca: false, pathLength: null });
  assert.ok(leaf.subjectKeyId !== null && leaf.authorityKeyId !== null);
});

async function openssl(...args: string[]): Promise<string> {
  const { stdout, stderr } = await new Deno.Command("openssl", { args }).output();
  const decoder = new TextDecoder();
  return decoder.decode(stdout) + decoder.decode(stderr);
}

const hasOpenssl = await openssl("version").then(() => true, () => false);

Deno.test({ name: "local authority: the openssl command verifies it strictly", ignore: !hasOpenssl }, async () => {
  const directory = await Deno.makeTempDir();
  try {
    const ca = createLocalCa(Date.now());
    const issued = await new LocalAuthority({ ca, now: Date.now }).fetch(subject("a"), signal);
    const [caFile, leafFile] = [`${directory}/ca.pem`, `${directory}/leaf.pem`];
    await Deno.writeTextFile(caFile, encodePem("CERTIFICATE", ca.certificate));
    await Deno.writeTextFile(leafFile, encodePem("CERTIFICATE", issued.chain[0]!));
    for (const purpose of ["sslserver", "sslclient"]) {
      const verdict = await openssl("verify", "-x509_strict", "-purpose", purpose, "-CAfile", caFile, leafFile);
      assert.equal(verdict, `${leafFile}: OK\n`);
    }
    const text = await openssl("x509", "-in", leafFile, "-noout", "-ext", "subjectAltName");
    assert.match(text, /Subject Alternative Name: critical\s+URI:spiffe:\/\/td\/ns\/ns\/sa\/a/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
