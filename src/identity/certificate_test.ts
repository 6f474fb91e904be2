import { strict as assert } from "node:assert";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import * as build from "./certificate_builder.ts";
import { type Certificate, isMalformed, parseCertificate, serialDecimal } from "./certificate.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { contextTag } from "./der.ts";
import * as der from "./der_write.ts";
import { Oid } from "./oids.ts";
import { HOUR, leafUsage, makeCa, makeLeaf, NOW } from "./testkit/certificates.ts";

const ID = "spiffe://td/ns/a/sa/b";
const root = makeCa("root");

function parsed(bytes: Uint8Array): Certificate {
  const result = parseCertificate(bytes);
  assert.ok(!isMalformed(result), isMalformed(result) ? result.problem : "");
  return result;
}

function problemOf(bytes: Uint8Array): string {
  const result = parseCertificate(bytes);
  return isMalformed(result) ? result.problem : "";
}

Deno.test("certificate: the fields of a leaf", () => {
  const serial = Uint8Array.fromHex("2f96602a12c1e5a2b06ad9dd3251a705e7f004b8");
  const leaf = parsed(makeLeaf(root, ID, { serial }));
  assert.equal(leaf.version, 3);
  assert.deepEqual(leaf.uris, [ID]);
  assert.equal(leaf.notBefore, NOW - HOUR);
  assert.equal(leaf.notAfter, NOW + 24 * HOUR);
  assert.deepEqual(leaf.issuer, root.name);
  assert.deepEqual(leaf.extendedKeyUsage, [Oid.SERVER_AUTH, Oid.CLIENT_AUTH]);
  assert.equal(leaf.keyUsage, KeyUsage.DIGITAL_SIGNATURE);
  assert.deepEqual(leaf.basicConstraints, { ca: false, pathLength: null });
  assert.equal(serialDecimal(leaf.serial), "271676055104741785552467469040731750696653685944"); // config C36, identity T19
});

Deno.test("node:crypto parses the same values", () => {
  const bytes = makeLeaf(root, ID);
  const ours = parsed(bytes);
  const theirs = new X509Certificate(bytes);
  assert.equal(theirs.subjectAltName, `URI:${ID}`);
  assert.equal(theirs.validFromDate.getTime(), ours.notBefore);
  assert.equal(theirs.validToDate.getTime(), ours.notAfter);
  assert.equal(BigInt("0x" + theirs.serialNumber).toString(), serialDecimal(ours.serial));
  assert.ok(theirs.verify(new X509Certificate(root.certificate).publicKey));
});

Deno.test("certificate: all kinds of subject alternative names", () => {
  const names = der.sequence(
    der.text(contextTag(1, false), "a@b"),
    der.text(contextTag(2, false), "a.example"),
    der.text(contextTag(6, false), ID),
    der.element(contextTag(7, false), Uint8Array.of(10, 0, 0, 1)),
    der.element(contextTag(8, false), Uint8Array.of(0x2a)),
  );
  const leaf = parsed(makeLeaf(root, ID, { names: [build.extension(Oid.SUBJECT_ALT_NAME, false, names)] }));
  assert.deepEqual(leaf.uris, [ID]);
  assert.deepEqual(leaf.dnsNames, ["a.example"]);
  assert.deepEqual(leaf.ipAddresses, [Uint8Array.of(10, 0, 0, 1)]);
});

Deno.test("certificate: key ids, path length, name constraints", () => {
  const publicKey = parsed(root.certificate).publicKey;
  const uri = (text: string) => der.sequence(der.text(contextTag(6, false), text));
  const constraints = der.sequence(
    der.element(contextTag(0, true), uri("td"), uri(".td")),
    der.element(contextTag(1, true), uri("other")),
  );
  const ca = parsed(
    makeCa("ca", {
      issuer: root,
      extensions: [
        build.caConstraints(3),
        build.subjectKeyId(publicKey),
        build.authorityKeyId(build.keyId(publicKey)),
        build.extension(Oid.NAME_CONSTRAINTS, true, constraints),
      ],
    }).certificate,
  );
  assert.deepEqual(ca.basicConstraints, { ca: true, pathLength: 3 });
  assert.deepEqual(ca.subjectKeyId, ca.authorityKeyId);
  assert.equal(ca.subjectKeyId?.length, 20);
  assert.deepEqual(ca.nameConstraints, {
    permittedUris: ["td", ".td"],
    excludedUris: ["other"],
    permittedDns: null,
    excludedDns: [],
    permittedSubnets: null,
    excludedSubnets: [],
    unsupported: false,
  });
});

Deno.test("version 1 has no extensions", () => {
  const leaf = parsed(makeLeaf(root, ID, { version: 1 }));
  assert.equal(leaf.version, 1);
  assert.deepEqual(leaf.uris, []);
});

const raw = (id: string, critical: number[], value: Uint8Array) =>
  der.sequence(der.oid(id), Uint8Array.from(critical), der.octetString(value));

const refused: readonly [what: string, usage: readonly Uint8Array[], problem: RegExp][] = [
  ["duplicate extension", [...leafUsage(), build.leafConstraints()], /^duplicate extension 2\.5\.29\.19$/],
  [
    "unknown critical extension",
    [build.extension("1.2.3.4", true, der.sequence())],
    /^unknown critical extension 1\.2\.3\.4$/,
  ],
  ["critical BOOLEAN 0x01", [raw(Oid.BASIC_CONSTRAINTS, [1, 1, 1], der.sequence())], /^BOOLEAN/],
  [
    "CA BOOLEAN 0x01",
    [raw(Oid.BASIC_CONSTRAINTS, [], der.sequence(Uint8Array.of(1, 1, 1)))],
    /^BOOLEAN/,
  ],
  ["trailing bytes in an extension", [raw(Oid.KEY_USAGE, [], Uint8Array.of(3, 2, 7, 0x80, 5, 0))], /^trailing bytes/],
  ["extension that is no OCTET STRING", [der.sequence(der.oid("1.2.3"), der.smallInteger(1))], /^expected tag 0x4/],
  [
    "too many extensions",
    Array.from({ length: 65 }, (_, i) => build.extension(`1.2.3.${i}`, false, der.sequence())),
    /^too many/,
  ],
];

for (const [what, usage, problem] of refused) {
  Deno.test(`certificate refused: ${what}`, () => {
    assert.match(problemOf(makeLeaf(root, ID, { usage })), problem);
  });
}

Deno.test("certificate refused, identity S8: non-ASCII name", () => {
  assert.match(problemOf(makeLeaf(root, "spiffe://td/ns/ä/sa/b")), /not ASCII/);
});

Deno.test("unknown extensions that are not critical are ignored", () => {
  const leaf = parsed(makeLeaf(root, ID, { usage: [build.extension("1.2.3.4", false, der.sequence())] }));
  assert.equal(leaf.basicConstraints, null);
});

Deno.test("certificate refused: trailing bytes, too large", () => {
  const bytes = makeLeaf(root, ID);
  assert.equal(problemOf(der.concatBytes([bytes, Uint8Array.of(0)])), "trailing bytes");
  assert.match(problemOf(new Uint8Array(70_000)), /too large/);
});

Deno.test("a negative serial is shown with its sign", () => {
  assert.equal(serialDecimal(Uint8Array.of(0xff)), "-1");
  assert.equal(serialDecimal(Uint8Array.of(0)), "0");
});

Deno.test("property: arbitrary bytes never throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (input) => {
    const result = parseCertificate(input);
    assert.equal(typeof result, "object");
  }));
});

Deno.test("property: mutated certificates never throw", () => {
  const whole = [makeLeaf(root, ID), root.certificate];
  const edit = fc.record({ at: fc.nat(1000), value: fc.nat(255), remove: fc.nat(3), insert: fc.nat(2) });
  fc.assert(
    fc.property(fc.constantFrom(...whole), fc.array(edit, { minLength: 1, maxLength: 4 }), (certificate, edits) => {
      const mutant = [...certificate];
      for (const { at, value, remove, insert } of edits) {
        mutant.splice(at % mutant.length, remove, ...Array.from({ length: insert }, () => value));
      }
      const result = parseCertificate(Uint8Array.from(mutant));
      assert.equal(typeof result, "object");
    }),
    { numRuns: 2000 },
  );
});
