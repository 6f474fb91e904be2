import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import * as build from "./certificate_builder.ts";
import { isMalformedList, parseRevocationList, type RevocationList } from "./crl.ts";
import { isMalformedFile, parseCrlFile } from "./crl_file.ts";
import * as der from "./der_write.ts";
import { spkiOf } from "./local_ca.ts";
import { encodePem } from "./pem.ts";
import { hasSerial } from "./serial_set.ts";
import { isSigned } from "./signature.ts";
import { HOUR, makeCa, makeCrl, newKey, NOW } from "./testkit/certificates.ts";

const root = makeCa("root");
const text = (bytes: string) => new TextEncoder().encode(bytes);
const pem = (crl: Uint8Array) => encodePem("X509 CRL", crl);
const number = (value: number) => Uint8Array.of(value >> 8, value & 255);

function list(crl: Uint8Array): RevocationList {
  const result = parseRevocationList(crl);
  assert.ok(!isMalformedList(result), isMalformedList(result) ? result.problem : "");
  return result;
}

function isBy(crl: RevocationList, key = spkiOf(root.key)): boolean {
  return isSigned(crl.signed, crl.algorithm, crl.signature, key);
}

Deno.test("CRL, identity L26: issuer, serials, dates, signature", () => {
  const crl = list(makeCrl(root, [number(99), number(0x80)]));
  assert.deepEqual(crl.issuer, root.name);
  assert.equal(crl.nextUpdate, NOW + 24 * HOUR);
  assert.equal(crl.serials.size, 2);
  assert.equal(hasSerial(crl.serials, Uint8Array.of(99)), true);
  assert.equal(hasSerial(crl.serials, Uint8Array.of(100)), false);
  // With its sign octet, as in the certificate.
  assert.equal(hasSerial(crl.serials, Uint8Array.of(0, 0x80)), true);
  assert.equal(hasSerial(crl.serials, Uint8Array.of(0x80)), false);
  assert.ok(isBy(crl));
  assert.ok(!isBy(crl, spkiOf(newKey())));
  assert.deepEqual(structuredClone(crl), crl);
});

Deno.test("CRL: version 1, without nextUpdate, without entries", () => {
  const crl = list(makeCrl(root, [], { version: 1, nextUpdate: null }));
  assert.deepEqual([crl.serials.size, crl.nextUpdate], [0, null]);
});

Deno.test("CRL: reasons and other extensions that are not critical are ignored", () => {
  const reason = build.extension("2.5.29.21", false, der.element(0x0a, Uint8Array.of(1)));
  assert.equal(list(makeCrl(root, [number(1)], { entryExtensions: [reason] })).serials.size, 1);
});

const good = makeCrl(root, [number(12345)]);
const critical = (id: string) => build.extension(id, true, der.sequence());

const bad: readonly [what: string, crl: Uint8Array, problem: RegExp][] = [
  ["nothing", new Uint8Array(), /expected tag/],
  ["a certificate", root.certificate, /expected tag|version/],
  ["trailing bytes", Uint8Array.of(...good, 0), /trailing bytes/],
  ["cut off", good.subarray(0, good.length - 1), /over the end/],
  ["a delta CRL", makeCrl(root, [], { extensions: [critical("2.5.29.27")] }), /^a delta CRL is not supported$/],
  ["one of limited scope", makeCrl(root, [], { extensions: [critical("2.5.29.28")] }), /limited scope/],
  ["an indirect one", makeCrl(root, [number(1)], { entryExtensions: [critical("2.5.29.29")] }), /^an indirect CRL is/],
  [
    "an unknown critical extension",
    makeCrl(root, [], { extensions: [critical("1.2.3")] }),
    /unknown critical .* 1\.2\.3/,
  ],
  [
    "the same in an entry",
    makeCrl(root, [number(1)], { entryExtensions: [critical("1.2.3")] }),
    /unknown critical extension/,
  ],
  ["SHA-1", replaced(good, der.oid("1.2.840.10045.4.3.2"), der.oid("1.2.840.10045.4.3.1")), /not supported/],
];

function replaced(bytes: Uint8Array, from: Uint8Array, to: Uint8Array): Uint8Array {
  return Uint8Array.fromHex(bytes.toHex().replaceAll(from.toHex(), to.toHex()));
}

for (const [what, crl, problem] of bad) {
  Deno.test(`CRL refused: ${what}`, () => {
    const result = parseRevocationList(crl);
    assert.ok(isMalformedList(result));
    assert.match(result.problem, problem);
  });
}

const files: readonly [vector: string, file: Uint8Array, outcome: number | RegExp][] = [
  ["identity L3: empty", new Uint8Array(), 0],
  ["identity L4: PEM", text(pem(good)), 1],
  ["DER", good, 1],
  ["identity L5: beside a certificate", text(encodePem("CERTIFICATE", root.certificate) + pem(good)), 1],
  ["PEM without a list", text(encodePem("CERTIFICATE", root.certificate)), 0],
  ["two", text(pem(good) + pem(good)), 2],
  ["identity L2: something else", text("not a valid CRL"), /^CRL error: failed to parse crl 1: /],
  [
    "identity L6: the second is corrupt",
    text(pem(good) + pem(good.subarray(0, 40))),
    /^CRL error: failed to parse crl 2: /,
  ],
  [
    "identity S35: cut off in the middle",
    text(pem(good).slice(0, 100)),
    /^failed to parse CRL: failed to parse PEM: PEM block X509 CRL has no proper end$/,
  ],
];

for (const [vector, file, outcome] of files) {
  Deno.test(`CRL file, ${vector}`, () => {
    const result = parseCrlFile(file);
    if (typeof outcome === "number") assert.equal(isMalformedFile(result) ? result.problem : result.length, outcome);
    else assert.match(isMalformedFile(result) ? result.problem : "accepted", outcome);
  });
}

Deno.test("property: no CRL throws, and the signature of an altered one is not valid", () => {
  const crl = makeCrl(root, [number(1), number(2)]);
  fc.assert(fc.property(fc.nat(crl.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
    const altered = crl.slice();
    altered[at]! ^= flip;
    const result = parseRevocationList(altered);
    if (!isMalformedList(result)) assert.ok(!isBy(result));
  }));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void parseCrlFile(bytes)));
});

Deno.test("signatures: keys of another type are refused", () => {
  const { privateKey: rsa } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const crl = list(good);
  assert.ok(!isBy(crl, spkiOf(rsa)));
  assert.ok(!isBy(crl, new Uint8Array([48, 0])));
});
