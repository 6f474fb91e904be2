import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import * as build from "./certificate_builder.ts";
import { CertificateError, type CertificateErrorCode } from "./authority.ts";
import { checkIssued } from "./check_issued.ts";
import type { SpiffeId } from "./spiffe_id.ts";
import { HOUR, makeCa, makeLeaf, newKey, NOW } from "./testkit/certificates.ts";
import { bundlesForAnyDomain } from "./trust_bundles.ts";

const ID = "spiffe://td/ns/a/sa/b" as SpiffeId;
const root = makeCa("root");
const intermediate = makeCa("intermediate", { issuer: root });
const key = newKey();
const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
const pkcs8 = new Uint8Array(key.export({ format: "der", type: "pkcs8" }));
const leaf = makeLeaf(intermediate, ID, { key });
const bundles = bundlesForAnyDomain([root.certificate]);

Deno.test("issued certificate, observed O9: the chain loses anchors and duplicates", () => {
  const chain = [leaf, leaf, intermediate.certificate, root.certificate, root.certificate];
  const issued = checkIssued(ID, chain, pkcs8, bundles, NOW);
  assert.deepEqual(issued.chain, [leaf, intermediate.certificate]);
  assert.equal(issued.notAfter, NOW + 24 * HOUR);
});

Deno.test("issued certificate: anchors of every bundle are left out", () => {
  const own = { byTrustDomain: new Map([["td", [root.certificate]]]), anyTrustDomain: [] };
  assert.deepEqual(checkIssued(ID, [leaf, root.certificate], pkcs8, own, NOW).chain, [leaf]);
});

const bad: readonly [
  vector: string,
  chain: readonly Uint8Array[],
  key: Uint8Array,
  code: CertificateErrorCode,
  text: RegExp,
][] = [
  ["identity 3.5: nothing", [], pkcs8, "EMPTY_RESPONSE", /^chain returned from CA is empty for: spiffe:/],
  ["identity S27: 65 certificates", Array(65).fill(leaf), pkcs8, "INVALID_CERTIFICATE", /too long/],
  ["garbage", [Uint8Array.of(1)], pkcs8, "INVALID_CERTIFICATE", /^certificate: /],
  ["garbage above the leaf", [leaf, Uint8Array.of(1)], pkcs8, "INVALID_CERTIFICATE", /^certificate: /],
  [
    "identity S13, observed O12: another id",
    [makeLeaf(root, "spiffe://far/ns/a/sa/b", { key })],
    pkcs8,
    "SAN_MISMATCH",
    /^did not find expected SAN: spiffe:\/\/td\/ns\/a\/sa\/b$/,
  ],
  [
    "two ids, the requested one first",
    [makeLeaf(root, ID, { key, names: [build.uriAltNames(ID, "spiffe://td/x")] })],
    pkcs8,
    "SAN_MISMATCH",
    /^did not find expected SAN/,
  ],
  ["identity S14: another key", [makeLeaf(root, ID)], pkcs8, "KEY_MISMATCH", /another key/],
  [
    "identity 6.1: RSA 1024",
    [makeLeaf(root, ID, { key: weak })],
    new Uint8Array(weak.export({ format: "der", type: "pkcs8" })),
    "INVALID_CERTIFICATE",
    /^certificate: RSA key of 1024 bits is too short/,
  ],
  ["no key", [leaf], Uint8Array.of(48, 0), "INVALID_CERTIFICATE", /^certificate: no key$/],
  ["identity S15: expired", [makeLeaf(root, ID, { key, notAfter: NOW - 1000 })], pkcs8, "EXPIRED", /already expired/],
];

for (const [vector, chain, pkcs, code, text] of bad) {
  Deno.test(`issued certificate refused, ${vector}`, () => {
    assert.throws(() => checkIssued(ID, chain, pkcs, bundles, NOW), (error) => {
      assert.ok(error instanceof CertificateError);
      assert.equal(error.code, code);
      assert.match(error.message, text);
      return true;
    });
  });
}
