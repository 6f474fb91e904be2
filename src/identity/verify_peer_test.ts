import { strict as assert } from "node:assert";
import { generateKeyPairSync } from "node:crypto";
import fc from "fast-check";
import * as build from "./certificate_builder.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { contextTag } from "./der.ts";
import * as der from "./der_write.ts";
import { Oid } from "./oids.ts";
import { isRefusal, type PeerRefusalCode, type PeerRole } from "./peer_chain.ts";
import type { SpiffeId } from "./spiffe_id.ts";
import { HOUR, type Issuer, makeCa, makeLeaf, NOW } from "./testkit/certificates.ts";
import { bundlesForAnyDomain, TrustStore } from "./trust_bundles.ts";
import { newPeerChainCache, type PeerExpectation, verifyPeer } from "./verify_peer.ts";

const ID = "spiffe://td/ns/a/sa/b" as SpiffeId;
const OTHER = "spiffe://td/ns/a/sa/other" as SpiffeId;
const root = makeCa("root");
const weak = generateKeyPairSync("rsa", { modulusLength: 1024 }).privateKey;
const store = new TrustStore(bundlesForAnyDomain([root.certificate]));
const inbound: PeerExpectation = { kind: "trust-domain", trustDomain: "td" };
const outbound: PeerExpectation = { kind: "any-of", ids: [ID] };

function verdict(chain: readonly Uint8Array[], expected = inbound, role: PeerRole = "client", trust = store) {
  const result = verifyPeer(chain, role, trust, expected, NOW);
  return isRefusal(result) ? result.code : result.id;
}

Deno.test("peer verification: a valid peer, in both directions", () => {
  const chain = [makeLeaf(root, ID), root.certificate];
  assert.deepEqual(verifyPeer(chain, "client", store, inbound, NOW), {
    id: ID,
    trustDomain: "td",
    workload: { trustDomain: "td", namespace: "a", serviceAccount: "b" },
    notAfter: NOW + 24 * HOUR,
  });
  assert.equal(verdict(chain, outbound, "server"), ID);
});

/** A chain whose leaf has these names. */
const named = (...names: readonly Uint8Array[]) => [makeLeaf(root, ID, { names }), root.certificate];
/** A chain whose leaf has these extensions beside the name. */
const used = (...usage: readonly Uint8Array[]) => [makeLeaf(root, ID, { usage }), root.certificate];
/** A chain with an intermediate that has these extensions. */
function below(...extensions: readonly Uint8Array[]): Uint8Array[] {
  const issuer = makeCa("intermediate", { issuer: root, extensions });
  return [makeLeaf(issuer, ID), issuer.certificate, root.certificate];
}
function belowWeak(): Uint8Array[] {
  const issuer = makeCa("intermediate", { issuer: root, key: weak });
  return [makeLeaf(issuer, ID), issuer.certificate, root.certificate];
}
const certSign = build.keyUsage(KeyUsage.KEY_CERT_SIGN);
const uriSubtree = (text: string) => der.sequence(der.text(contextTag(6, false), text));
const permitted = (...trees: readonly Uint8Array[]) =>
  build.extension(Oid.NAME_CONSTRAINTS, true, der.sequence(der.element(contextTag(0, true), ...trees)));
const excluded = (...trees: readonly Uint8Array[]) =>
  build.extension(Oid.NAME_CONSTRAINTS, true, der.sequence(der.element(contextTag(1, true), ...trees)));

const structural: readonly [vector: string, chain: readonly Uint8Array[], outcome: PeerRefusalCode | SpiffeId][] = [
  ["identity S1: nothing", [], "NO_CERTIFICATE"],
  ["a leaf that is its own anchor", [makeLeaf(root, ID)], "NO_ISSUER"],
  ["nine certificates", Array(9).fill(root.certificate), "CHAIN_TOO_LONG"],
  ["garbage", [Uint8Array.of(1, 2, 3), root.certificate], "MALFORMED_CERTIFICATE"],
  ["version 1", [makeLeaf(root, ID, { version: 1 }), root.certificate], "NOT_VERSION_3"],
  ["identity 6.1: RSA 1024", [makeLeaf(root, ID, { key: weak }), root.certificate], "KEY_NOT_ALLOWED"],
  ["identity 6.1: a CA with RSA 1024", belowWeak(), "KEY_NOT_ALLOWED"],
  ["identity S2: expired leaf", [makeLeaf(root, ID, { notAfter: NOW - 1000 }), root.certificate], "EXPIRED"],
  ["identity S2: not yet valid", [makeLeaf(root, ID, { notBefore: NOW + 1000 }), root.certificate], "NOT_YET_VALID"],
  ["identity S4: no names", named(), "NO_URI_SAN"],
  [
    "identity S4: DNS name only",
    named(build.extension(Oid.SUBJECT_ALT_NAME, false, der.sequence(der.text(contextTag(2, false), "td")))),
    "NO_URI_SAN",
  ],
  ["identity S4: other scheme", named(build.uriAltNames("https://td/ns/a/sa/b")), "INVALID_SPIFFE_ID"],
  ["identity S5 T13: two URI names", named(build.uriAltNames(ID, ID)), "SEVERAL_URI_SANS"],
  [
    "identity S5: SPIFFE id and another URI",
    named(build.uriAltNames("https://example.com", ID)),
    "SEVERAL_URI_SANS",
  ],
  ["identity S6: upper case", named(build.uriAltNames("spiffe://TD/ns/a/sa/b")), "INVALID_SPIFFE_ID"],
  ["identity S6: port", named(build.uriAltNames("spiffe://td:1/ns/a/sa/b")), "INVALID_SPIFFE_ID"],
  ["identity S6: trailing dot", named(build.uriAltNames("spiffe://td./ns/a/sa/b")), "TRUST_DOMAIN_MISMATCH"],
  ["identity S7: trailing slash", named(build.uriAltNames(`${ID}/`)), "INVALID_SPIFFE_ID"],
  ["identity S7: dots", named(build.uriAltNames("spiffe://td/ns/../sa/b")), "INVALID_SPIFFE_ID"],
  ["identity S7: percent", named(build.uriAltNames("spiffe://td/ns/a/sa/%62")), "INVALID_SPIFFE_ID"],
  ["identity S7: more segments", named(build.uriAltNames(`${ID}/c`)), "TRUST_DOMAIN_MISMATCH"],
  ["identity S8 O34: NUL", named(build.uriAltNames(`${ID}\0`)), "INVALID_SPIFFE_ID"],
  ["identity S8 O34: newline", named(build.uriAltNames(`${ID}\n`)), "INVALID_SPIFFE_ID"],
  ["identity S8 O34: non-ASCII", named(build.uriAltNames(`${ID}ä`)), "MALFORMED_CERTIFICATE"],
  ["observed O34: query", named(build.uriAltNames(`${ID}?a`)), "INVALID_SPIFFE_ID"],
  ["observed O34: fragment", named(build.uriAltNames(`${ID}#a`)), "INVALID_SPIFFE_ID"],
  ["identity F13: trust domain only", named(build.uriAltNames("spiffe://td")), "INVALID_SPIFFE_ID"],
  ["identity S9: leaf is a CA", used(build.caConstraints(null)), "LEAF_IS_CA"],
  ["identity S9 O34: leaf with keyCertSign", used(certSign), "LEAF_SIGNS_CERTIFICATES"],
  ["leaf with cRLSign", used(build.keyUsage(KeyUsage.CRL_SIGN)), "LEAF_SIGNS_CERTIFICATES"],
  ["identity S10: server only", used(build.extendedKeyUsage(Oid.SERVER_AUTH)), "WRONG_USAGE"],
  ["anyExtendedKeyUsage is not enough", used(build.extendedKeyUsage("2.5.29.37.0")), "WRONG_USAGE"],
  ["client only, as client", used(build.extendedKeyUsage(Oid.CLIENT_AUTH)), ID],
  ["identity T21: no usage at all", used(), ID],
  ["unknown critical extension", used(build.extension("1.2.3", true, der.sequence())), "MALFORMED_CERTIFICATE"],
  ["intermediate", below(build.caConstraints(0), certSign), ID],
  ["intermediate without key usage", below(build.caConstraints(null)), ID],
  ["intermediate without basicConstraints", below(certSign), "ISSUER_NOT_CA"],
  ["intermediate that is no CA", below(build.leafConstraints(), certSign), "ISSUER_NOT_CA"],
  [
    "observed O34: issuer without keyCertSign",
    below(
      build.caConstraints(null),
      build.keyUsage(KeyUsage.DIGITAL_SIGNATURE),
    ),
    "ISSUER_CANNOT_SIGN",
  ],
  ["issuer may vouch for the domain", below(build.caConstraints(null), permitted(uriSubtree("td"))), ID],
  [
    "identity T20: issuer may not vouch for the domain",
    below(build.caConstraints(null), permitted(uriSubtree("other"))),
    "NAME_CONSTRAINT",
  ],
  ["a domain's suffix", below(build.caConstraints(null), permitted(uriSubtree(".td"))), "NAME_CONSTRAINT"],
  ["issuer may not, by exclusion", below(build.caConstraints(null), excluded(uriSubtree("TD"))), "NAME_CONSTRAINT"],
  ["everything is excluded", below(build.caConstraints(null), excluded(uriSubtree(""))), "NAME_CONSTRAINT"],
  [
    "directory name constraint",
    below(build.caConstraints(null), permitted(der.sequence(der.element(contextTag(4, true), der.sequence())))),
    "NAME_CONSTRAINT",
  ],
  [
    "DNS constraint is left to the engine",
    below(build.caConstraints(null), permitted(der.sequence(der.text(contextTag(2, false), "example.com")))),
    ID,
  ],
];

for (const [vector, chain, outcome] of structural) {
  Deno.test(`peer verification, ${vector}`, () => assert.equal(verdict(chain), outcome));
}

Deno.test("peer verification: expired intermediate or root", () => {
  for (const [rootEnd, middleEnd] of [[NOW + HOUR, NOW - 1], [NOW - 1, NOW + HOUR]] as const) {
    const top = makeCa("top", { notAfter: rootEnd });
    const middle = makeCa("middle", { issuer: top, notAfter: middleEnd });
    const chain = [makeLeaf(middle, ID), middle.certificate, top.certificate];
    const trust = new TrustStore(bundlesForAnyDomain([top.certificate]));
    assert.equal(verdict(chain, inbound, "client", trust), "EXPIRED");
  }
});

Deno.test("peer verification: path length", () => {
  const top = makeCa("top", { extensions: [build.caConstraints(1)] });
  const one = makeCa("one", { issuer: top });
  const two = makeCa("two", { issuer: one });
  const trust = new TrustStore(bundlesForAnyDomain([top.certificate]));
  const long = [makeLeaf(two, ID), two.certificate, one.certificate, top.certificate];
  assert.equal(verdict([makeLeaf(one, ID), one.certificate, top.certificate], inbound, "client", trust), ID);
  assert.equal(verdict(long, inbound, "client", trust), "PATH_TOO_LONG");
});

Deno.test("peer verification: an intermediate may issue only for the usages in its certificate", () => {
  const limited = (usage: string) =>
    makeCa("limited", { issuer: root, extensions: [build.caConstraints(null), build.extendedKeyUsage(usage)] });
  const forClients = limited(Oid.CLIENT_AUTH), forMail = limited("1.3.6.1.5.5.7.3.4");
  const by = (issuer: Issuer) => [makeLeaf(issuer, ID), issuer.certificate, root.certificate];
  assert.equal(verdict(by(forClients), inbound, "client"), ID);
  assert.equal(verdict(by(forClients), outbound, "server"), "WRONG_USAGE");
  assert.equal(verdict(by(forMail), inbound, "client"), "WRONG_USAGE");
});

Deno.test("peer verification, identity T22: client certificate of a server", () => {
  const chain = used(build.extendedKeyUsage(Oid.CLIENT_AUTH));
  assert.equal(verdict(chain, outbound, "server"), "WRONG_USAGE");
});

Deno.test("peer verification, dataplane 2.1: mismatch texts", () => {
  const chain = [makeLeaf(root, ID), root.certificate];
  const text = (expected: PeerExpectation) => {
    const result = verifyPeer(chain, "server", store, expected, NOW);
    return isRefusal(result) ? result.message : "";
  };
  const prefix = "identity verification error: peer did not present the expected ";
  const second = "spiffe://td/ns/x/sa/y" as SpiffeId;
  // identity T3
  assert.equal(text({ kind: "any-of", ids: [OTHER, second] }), `${prefix}SAN (${OTHER},${second}), got ${ID}`);
  // identity T5 S12
  assert.equal(text({ kind: "any-of", ids: [] }), `${prefix}SAN (), got ${ID}`);
  // identity T2 S3
  assert.equal(text({ kind: "trust-domain", trustDomain: "mine" }), `${prefix}trustdomain (mine), got ${ID}`);
});

Deno.test("peer verification, identity T4: any of the expected ids is accepted", () => {
  const chain = [makeLeaf(root, ID), root.certificate];
  assert.equal(verdict(chain, { kind: "any-of", ids: [OTHER, ID] }, "server"), ID);
});

Deno.test("peer verification: aliases of the trust domain", () => {
  const chain = [makeLeaf(root, ID), root.certificate];
  const aliased: PeerExpectation = { kind: "trust-domain", trustDomain: "new", aliases: ["old", "td"] };
  assert.equal(verdict(chain, aliased), ID);
});

Deno.test("peer verification, identity T1: two roots", () => {
  const second = makeCa("second");
  const trust = new TrustStore(bundlesForAnyDomain([root.certificate, second.certificate]));
  for (const issuer of [root, second]) {
    assert.equal(verdict([makeLeaf(issuer, ID), issuer.certificate], inbound, "client", trust), ID);
  }
});

Deno.test("peer verification, identity S11: an authority vouches only for its own domain", () => {
  const foreign = makeCa("foreign");
  const trust = new TrustStore({
    byTrustDomain: new Map([["td", [root.certificate]], ["far", [foreign.certificate]]]),
    anyTrustDomain: [],
  });
  const far = "spiffe://far/ns/a/sa/b" as SpiffeId;
  const both: PeerExpectation = { kind: "trust-domain", trustDomain: "td", aliases: ["far", "unknown"] };
  const of = (issuer: Issuer, id: string) => [makeLeaf(issuer, id), issuer.certificate];
  assert.equal(verdict(of(root, ID), both, "client", trust), ID);
  assert.equal(verdict(of(foreign, far), both, "client", trust), far);
  assert.equal(verdict(of(foreign, ID), both, "client", trust), "UNTRUSTED_ANCHOR");
  assert.equal(verdict(of(root, far), both, "client", trust), "UNTRUSTED_ANCHOR");
  assert.equal(verdict(of(root, "spiffe://unknown/ns/a/sa/b"), both, "client", trust), "UNTRUSTED_ANCHOR");
});

Deno.test("peer verification: a domain's own bundle replaces the general one", () => {
  const own = makeCa("own");
  const trust = new TrustStore({
    byTrustDomain: new Map([["td", [own.certificate]]]),
    anyTrustDomain: [root.certificate],
  });
  assert.equal(verdict([makeLeaf(root, ID), root.certificate], inbound, "client", trust), "UNTRUSTED_ANCHOR");
  assert.equal(verdict([makeLeaf(own, ID), own.certificate], inbound, "client", trust), ID);
});

Deno.test("peer verification: a re-issued root is the same anchor, another key is not", () => {
  const again = makeCa("root", { key: root.key, notAfter: NOW + HOUR });
  const impostor = makeCa("root");
  assert.equal(verdict([makeLeaf(again, ID), again.certificate]), ID);
  assert.equal(verdict([makeLeaf(impostor, ID), impostor.certificate]), "UNTRUSTED_ANCHOR");
});

Deno.test("peer verification: without anchors no peer is accepted", () => {
  assert.equal(
    verdict([makeLeaf(root, ID), root.certificate], inbound, "client", new TrustStore(bundlesForAnyDomain([]))),
    "UNTRUSTED_ANCHOR",
  );
});

Deno.test("peer verification: the cached result does not depend on time, role, expected peer or trust", () => {
  const cache = newPeerChainCache();
  const chain = [makeLeaf(root, ID, { usage: [build.extendedKeyUsage(Oid.CLIENT_AUTH)] }), root.certificate];
  const check = (role: PeerRole, trust: TrustStore, expected: PeerExpectation, now: number) => {
    const result = verifyPeer(chain, role, trust, expected, now, cache);
    return isRefusal(result) ? result.code : result.id;
  };
  for (let i = 0; i < 2; i++) {
    assert.equal(check("client", store, inbound, NOW), ID);
    assert.equal(check("client", store, inbound, NOW + 25 * HOUR), "EXPIRED");
    assert.equal(check("client", store, inbound, NOW - 2 * HOUR), "NOT_YET_VALID");
    assert.equal(check("server", store, inbound, NOW), "WRONG_USAGE");
    assert.equal(check("client", store, { kind: "any-of", ids: [OTHER] }, NOW), "SAN_MISMATCH");
    assert.equal(check("client", new TrustStore(bundlesForAnyDomain([])), inbound, NOW), "UNTRUSTED_ANCHOR");
  }
  assert.equal(cache.size, 1);
});

Deno.test("peer verification: refused names are escaped and bounded in messages", () => {
  const long = "spiffe://td/" + "\n".repeat(3000);
  const result = verifyPeer(named(build.uriAltNames(long)), "client", store, inbound, NOW);
  assert.ok(isRefusal(result));
  assert.ok(!result.message.includes("\n"));
  assert.ok(result.message.length < 700);
});

Deno.test("property: no chain of mutated certificates throws", () => {
  const parts = [makeLeaf(root, ID), root.certificate, makeCa("x", { issuer: root }).certificate];
  const mutant = fc.tuple(fc.constantFrom(...parts), fc.nat(800), fc.nat(255)).map(([der, at, value]) => {
    const copy = der.slice();
    copy[at % copy.length] = value;
    return copy;
  });
  const link = fc.oneof(mutant, fc.constantFrom(...parts), fc.uint8Array({ maxLength: 64 }));
  fc.assert(
    fc.property(fc.array(link, { maxLength: 10 }), fc.constantFrom<PeerRole>("client", "server"), (chain, role) => {
      assert.equal(typeof verdict(chain, inbound, role), "string");
    }),
    { numRuns: 500 },
  );
});
