import { strict as assert } from "node:assert";
import fc from "fast-check";
import { spireCa } from "../../../testkit/spire/ca.ts";
import { CertificateError } from "../../identity/authority.ts";
import * as build from "../../identity/certificate_builder.ts";
import { KeyUsage } from "../../identity/certificate_extensions.ts";
import type { SpiffeId } from "../../identity/spiffe_id.ts";
import { type LeafOptions, leafUsage, makeCa, makeLeaf, newKey, NOW } from "../../identity/testkit/certificates.ts";
import { bundlesForAnyDomain } from "../../identity/trust_bundles.ts";
import { chooseSvid, issue, printable, type RawSvid, readSvid } from "./svid.ts";

const ID = "spiffe://example.org/ns/default/sa/test-sa" as SpiffeId;
const PATH = "/ns/default/sa/test-sa";
const ca = spireCa("example.org");

function good(): RawSvid {
  return ca.issue(PATH, { now: NOW });
}

function withLeaf(options: LeafOptions & { uri?: string }): RawSvid {
  const key = newKey();
  const leaf = makeLeaf(ca.root, options.uri ?? ID, { key, ...options });
  return { id: ID, chain: [leaf], key: new Uint8Array(key.export({ format: "der", type: "pkcs8" })) };
}

function problemOf(raw: RawSvid): string {
  const result = readSvid(raw, ID);
  assert.ok(result instanceof CertificateError);
  return result.message;
}

Deno.test("identity P3: a valid SVID becomes a certificate", () => {
  const svid = readSvid(good(), ID);
  assert.ok(!(svid instanceof CertificateError));
  const issued = issue(svid, bundlesForAnyDomain([ca.root.certificate]), NOW);
  assert.equal(issued.id, ID);
  assert.equal(issued.chain.length, 1);
});

Deno.test("identity P12: SVIDs with other ids are not chosen", () => {
  assert.equal(chooseSvid([{ ...good(), id: "spiffe://example.org/ns/other-namespace/sa/other-sa" }], ID), null);
  assert.equal(printable("a\nb\u{1b}"), "a?b?");
});

Deno.test("identity P14, O17: the expected SVID is chosen at any position", () => {
  const other = { ...good(), id: "spiffe://example.org/ns/a/sa/b" };
  const wanted = good();
  assert.equal(chooseSvid([other, wanted], ID), wanted);
});

Deno.test("identity P15: the chain is unchanged, without a second leaf", () => {
  const intermediate = makeCa("SPIRE", { issuer: ca.root });
  const raw = ca.issue(PATH, { now: NOW, intermediate });
  const svid = readSvid(raw, ID);
  assert.ok(!(svid instanceof CertificateError));
  assert.deepEqual(issue(svid, bundlesForAnyDomain([ca.root.certificate]), NOW).chain, raw.chain);
  const joined = readSvid({ ...raw, chain: [new Uint8Array([...raw.chain[0]!, ...raw.chain[1]!])] }, ID);
  assert.ok(!(joined instanceof CertificateError));
  assert.deepEqual(joined.chain, raw.chain);
});

const usage = (bits: number) => [build.keyUsage(bits), build.leafConstraints()];
const signer = (extensions: readonly Uint8Array[]) => makeCa("SPIRE", { issuer: ca.root, extensions });
const below = (extensions: readonly Uint8Array[]): RawSvid =>
  ca.issue(PATH, { now: NOW, intermediate: signer(extensions) });
const LEAF = "certificate is in invalid format: leaf certificate ";
const SIGNER = "certificate is in invalid format: signing certificate ";
const REFUSED: readonly (readonly [name: string, raw: RawSvid, text: string])[] = [
  [
    "CA true",
    withLeaf({ usage: [build.keyUsage(1), build.caConstraints(null)] }),
    `${LEAF}must not have CA flag set to true`,
  ],
  [
    "keyCertSign",
    withLeaf({ usage: usage(1 | KeyUsage.KEY_CERT_SIGN) }),
    `${LEAF}must not have 'keyCertSign' set as key usage`,
  ],
  ["cRLSign", withLeaf({ usage: usage(1 | KeyUsage.CRL_SIGN) }), `${LEAF}must not have 'cRLSign' set as key usage`],
  [
    "no digitalSignature",
    withLeaf({ usage: usage(KeyUsage.KEY_ENCIPHERMENT) }),
    `${LEAF}must have 'digitalSignature' set as key usage`,
  ],
  ["no URI SAN", withLeaf({ names: [] }), `${LEAF}misses the SPIFFE-ID in the URI SAN`],
  ["two URI SANs", withLeaf({ names: [build.uriAltNames(ID, ID)] }), `${LEAF}has 2 URI SANs, exactly one is allowed`],
  [
    "no SPIFFE id",
    withLeaf({ uri: "https://x" }),
    "certificate is in invalid format: failed parsing SPIFFE ID from certificate URI SAN",
  ],
  ["no key usage", withLeaf({ usage: [] }), "certificate is in invalid format: X.509 extension is missing: 2.5.29.15"],
  [
    "no basic constraints",
    withLeaf({ usage: leafUsage().slice(0, 2) }),
    "certificate is in invalid format: X.509 extension is missing: 2.5.29.19",
  ],
  [
    "other id in the certificate",
    withLeaf({ uri: "spiffe://example.org/ns/default/sa/x" }),
    `invalid spiffe identity: Mismatched identity: expected ${ID}, got spiffe://example.org/ns/default/sa/x in the certificate`,
  ],
  [
    "signer no CA",
    below([build.leafConstraints(), build.keyUsage(KeyUsage.KEY_CERT_SIGN)]),
    `${SIGNER}must have CA flag set to true`,
  ],
  [
    "signer may not sign",
    below([build.caConstraints(null), build.keyUsage(KeyUsage.CRL_SIGN)]),
    `${SIGNER}must have 'keyCertSign' set as key usage`,
  ],
  ["empty chain", { ...good(), chain: [] }, "certificate is in invalid format: no certificates found in chain"],
  [
    "no DER",
    { ...good(), chain: [Uint8Array.of(1, 2, 3)] },
    "certificate is in invalid format: failed decoding chain of DER certificates",
  ],
  [
    "no key",
    { ...good(), key: Uint8Array.of(1) },
    "certificate is in invalid format: failed decoding PKCS#8 private key",
  ],
];
for (const [name, raw, text] of REFUSED) {
  Deno.test(`identity P26, 4.5: SVID with ${name}`, () => assert.equal(problemOf(raw), text));
}

Deno.test("identity S27: an endless chain is refused", () => {
  const [leaf] = good().chain;
  assert.match(problemOf({ ...good(), chain: new Array(65).fill(leaf) }), /failed decoding chain/);
});

Deno.test("identity S14, S15: another key, and an expired certificate", () => {
  const bundles = bundlesForAnyDomain([ca.root.certificate]);
  const otherKey = readSvid({ ...good(), key: withLeaf({}).key }, ID);
  const expired = readSvid(good(), ID);
  assert.ok(!(otherKey instanceof CertificateError) && !(expired instanceof CertificateError));
  assert.throws(() => issue(otherKey, bundles, NOW), { code: "KEY_MISMATCH" });
  assert.throws(() => issue(expired, bundles, NOW + 3600_001), { code: "EXPIRED" });
});

Deno.test("identity S27: reading an SVID never throws", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), fc.uint8Array(), (chain, key) => {
    readSvid({ id: ID, chain, key }, ID);
  }));
  const leaf = good().chain[0]!;
  fc.assert(
    fc.property(fc.nat(leaf.length - 1), fc.nat(255), (at, byte) => {
      const bent = leaf.slice();
      bent[at] = byte;
      readSvid({ ...good(), chain: [bent] }, ID);
    }),
    { numRuns: 300 },
  );
});
