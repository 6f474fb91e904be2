/** Certificates, signing requests and revocation lists: the proxy's own code and a library must agree on them. */
import { strict as assert } from "node:assert";
import { createPublicKey } from "node:crypto";
import fc from "fast-check";
import { signingRequest } from "../src/authorities/istio/csr.ts";
import { type Certificate, isMalformed, parseCertificate } from "../src/identity/certificate.ts";
import * as build from "../src/identity/certificate_builder.ts";
import { isMalformedList, parseRevocationList } from "../src/identity/crl.ts";
import { hasSerial } from "../src/identity/serial_set.ts";
import { workloadId } from "../src/identity/spiffe_id.ts";
import { crlSigner, makeCa, makeCrl, makeLeaf, newKey, NOW } from "../src/identity/testkit/certificates.ts";
import type {
  Answers,
  CertificateContent,
  CertificateTemplate,
  Questions,
  RevocationList,
} from "../testkit/x509/questions.ts";

const ROUNDS = { seed: 20_261_130, numRuns: 200 };
const SECOND = 1000;
/** Objects of the usual prototype, which comparisons look at. */
const PLAIN = { noNullPrototype: true } as const;
const NOTHING: Questions = { certificates: [], requests: [], lists: [], makeCertificates: [], makeLists: [] };

async function ask(questions: Partial<Questions>): Promise<Answers> {
  const flags = ["--quiet", "--config", "testkit/x509/deno.json", "-A", "--no-prompt", "--no-check"];
  const program = new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, "testkit/x509/oracle.ts"],
    cwd: new URL("../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = program.stdin.getWriter();
  await input.write(new TextEncoder().encode(JSON.stringify({ ...NOTHING, ...questions })));
  await input.close();
  const { success, stdout } = await program.output();
  assert.ok(success, "the oracle failed, see its output above");
  return JSON.parse(new TextDecoder().decode(stdout)) as Answers;
}

/**
 * A serial number as RFC 5280 requires it: positive, without unnecessary leading zeros. Content octets in hexadecimal.
 */
const serials = fc.uint8Array({ minLength: 1, maxLength: 18 }).map((bytes) => {
  const first = (bytes[0]! & 0x7f) || 1;
  return Uint8Array.of(first, ...bytes.subarray(1)).toHex();
});
const labels = fc.stringMatching(/^[a-z0-9]{1,12}$/);
const ids = fc.tuple(labels, labels, labels).map(([a, b, c]) => `spiffe://${a}.test/ns/${b}/sa/${c}`);
/** UTCTime before 2050 and GeneralizedTime after it. */
const times = fc.integer({ min: Date.UTC(1990, 0) / SECOND, max: Date.UTC(2090, 0) / SECOND }).map((s) => s * SECOND);
const purposes = fc.constantFrom("1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.9");

const templates: fc.Arbitrary<CertificateTemplate> = fc.record({
  serial: serials,
  subject: labels.map((name) => `O=${name}`),
  notBefore: times,
  notAfter: times,
  uris: fc.array(ids, { maxLength: 3 }),
  dnsNames: fc.array(labels.map((name) => `${name}.test`), { maxLength: 3 }),
  basicConstraints: fc.option(fc.oneof(
    fc.record({ ca: fc.constant(true), pathLength: fc.option(fc.nat(255)) }, PLAIN),
    fc.constant({ ca: false, pathLength: null }),
  )),
  keyUsage: fc.option(fc.integer({ min: 1, max: 255 })),
  extendedKeyUsage: fc.option(fc.uniqueArray(purposes, { minLength: 1 })),
  critical: fc.boolean(),
}, PLAIN);
const lists: fc.Arbitrary<RevocationList> = fc.record({
  serials: fc.uniqueArray(serials, { maxLength: 50 }),
  nextUpdate: fc.option(times),
}, PLAIN);

function parsed(der: Uint8Array): Certificate {
  const certificate = parseCertificate(der);
  assert.ok(!isMalformed(certificate), isMalformed(certificate) ? certificate.problem : "");
  return certificate;
}

function contentOf(certificate: Certificate): CertificateContent {
  return {
    serial: certificate.serial.toHex(),
    notBefore: certificate.notBefore,
    notAfter: certificate.notAfter,
    uris: certificate.uris,
    dnsNames: certificate.dnsNames,
    basicConstraints: certificate.basicConstraints,
    keyUsage: certificate.keyUsage,
    extendedKeyUsage: certificate.extendedKeyUsage,
  };
}

Deno.test("x509: certificates made by the library are read correctly", async () => {
  const wanted = fc.sample(templates, ROUNDS);
  const { madeCertificates } = await ask({ makeCertificates: wanted });
  for (const [i, { subject: _subject, critical: _critical, ...content }] of wanted.entries()) {
    const certificate = parsed(Uint8Array.fromBase64(madeCertificates[i]!));
    assert.deepEqual(contentOf(certificate), content);
    assert.deepEqual(certificate.subjectKeyId, certificate.authorityKeyId);
  }
});

Deno.test("x509: the library and our code read our certificates alike", async () => {
  const root = makeCa("root");
  const middle = makeCa("middle", { issuer: root, extensions: [build.caConstraints(3), build.keyUsage(0x60)] });
  const names = fc.sample(ids, { ...ROUNDS, numRuns: 20 });
  const ours = [
    { der: root.certificate, issuer: root.certificate },
    { der: middle.certificate, issuer: root.certificate },
    ...names.map((id) => ({ der: makeLeaf(middle, id), issuer: middle.certificate })),
    { der: makeLeaf(middle, names[0]!), issuer: root.certificate },
  ];
  const { certificates } = await ask({
    certificates: ours.map(({ der, issuer }) => ({ der: der.toBase64(), issuer: issuer.toBase64() })),
  });
  for (const [i, { der, issuer }] of ours.entries()) {
    const certificate = parsed(der);
    const { publicKey, signed, ...content } = certificates[i]!;
    assert.deepEqual(content, contentOf(certificate));
    assert.equal(publicKey, certificate.publicKey.toBase64());
    assert.equal(signed, i < ours.length - 1, "the last one names an issuer that has not signed it");
    assert.ok(issuer.length > 0);
  }
});

Deno.test("x509: the library accepts our signing requests", async () => {
  const key = newKey();
  const id = workloadId("td.test", "shop", "cart")!;
  const { requests } = await ask({ requests: [signingRequest(id, key).toBase64()] });
  const publicKey = createPublicKey(key).export({ format: "der", type: "spki" });
  assert.deepEqual(requests, [
    { subject: "", publicKey: publicKey.toString("base64"), critical: true, uris: [id], signed: true },
  ]);
});

Deno.test("x509: revocation lists made by the library are read correctly", async () => {
  const wanted = fc.sample(lists, { ...ROUNDS, numRuns: 50 });
  const { madeLists } = await ask({ makeLists: wanted });
  for (const [i, { serials, nextUpdate }] of wanted.entries()) {
    const list = parseRevocationList(Uint8Array.fromBase64(madeLists[i]!));
    assert.ok(!isMalformedList(list), isMalformedList(list) ? list.problem : "");
    assert.deepEqual([list.nextUpdate, list.serials.size], [nextUpdate, serials.length]);
    for (const serial of serials) assert.ok(hasSerial(list.serials, Uint8Array.fromHex(serial)), serial);
  }
});

Deno.test("x509: the library and our code read our revocation lists alike", async () => {
  const root = makeCa("root", { extensions: crlSigner() });
  const revoked = fc.sample(serials, { ...ROUNDS, numRuns: 30 });
  const der = makeCrl(root, revoked.map((serial) => Uint8Array.fromHex(serial)), { nextUpdate: NOW });
  assert.deepEqual((await ask({ lists: [der.toBase64()] })).lists, [{ nextUpdate: NOW, serials: revoked }]);
});
