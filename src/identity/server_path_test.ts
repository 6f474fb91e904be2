import assert from "node:assert/strict";
import { type Certificate, isMalformed, parseCertificate } from "./certificate.ts";
import * as build from "./certificate_builder.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { contextTag } from "./der.ts";
import * as der from "./der_write.ts";
import { Oid } from "./oids.ts";
import { isRefusal } from "./peer_chain.ts";
import { checkServerName } from "./server_name.ts";
import { findServerPath } from "./server_path.ts";
import { HOUR, type Issuer, type LeafOptions, makeCa, makeLeaf, newKey, NOW } from "./testkit/certificates.ts";

const root = makeCa("Root");
const names = (...dns: string[]) =>
  build.extension(
    Oid.SUBJECT_ALT_NAME,
    false,
    der.sequence(...dns.map((name) => der.text(contextTag(2, false), name))),
  );
const server = (issuer: Issuer, options: LeafOptions = {}) =>
  makeLeaf(issuer, "", { names: [names("istiod.istio-system.svc")], ...options });

function parsed(bytes: Uint8Array): Certificate {
  const certificate = parseCertificate(bytes);
  if (isMalformed(certificate)) throw new Error(certificate.problem);
  return certificate;
}

const anchors = [parsed(root.certificate)];

function outcome(presented: readonly Uint8Array[], trusted = anchors): string {
  const path = findServerPath(presented, trusted, NOW);
  return isRefusal(path) ? path.code : `path of ${path.length}`;
}

/** Flips one bit of the last byte of the signature. */
function tampered(certificate: Uint8Array): Uint8Array {
  const copy = certificate.slice();
  copy[copy.length - 1]! ^= 1;
  return copy;
}

const middle = makeCa("Middle", { issuer: root });
const low = makeCa("Low", { issuer: middle });
/** Another key under the root's name. */
const impostor = makeCa("Root");
const clientOnly = [build.keyUsage(KeyUsage.DIGITAL_SIGNATURE), build.extendedKeyUsage(Oid.CLIENT_AUTH)];

const cases: readonly [what: string, presented: () => Uint8Array[], expected: string][] = [
  ["issued by the root", () => [server(root)], "path of 2"],
  ["root sent along", () => [server(root), root.certificate], "path of 2"],
  ["two intermediates", () => [server(low), low.certificate, middle.certificate], "path of 4"],
  ["intermediates in another order", () => [server(low), middle.certificate, low.certificate], "path of 4"],
  [
    "root twice, as istiod does",
    () => [server(middle), middle.certificate, root.certificate, root.certificate],
    "path of 3",
  ],
  ["missing intermediate", () => [server(low), low.certificate], "UNKNOWN_ISSUER"],
  ["nothing", () => [], "NO_CERTIFICATE"],
  ["too many", () => Array<Uint8Array>(17).fill(server(root)), "CHAIN_TOO_LONG"],
  ["forged: right issuer name, other key", () => [server(impostor)], "UNKNOWN_ISSUER"],
  ["forged, with the impostor's CA sent along", () => [server(impostor), impostor.certificate], "UNKNOWN_ISSUER"],
  ["forged, version 1", () => [server(impostor, { version: 1 })], "NOT_VERSION_3"],
  ["signature tampered with", () => [tampered(server(root))], "UNKNOWN_ISSUER"],
  ["intermediate of version 1", () => {
    const old = makeCa("Old", { issuer: root, version: 1 });
    return [server(old), old.certificate];
  }, "NOT_VERSION_3"],
  ["an unused certificate is malformed", () => [server(root), Uint8Array.of(1, 2, 3)], "MALFORMED_CERTIFICATE"],
  ["expired", () => [server(root, { notAfter: NOW - 1000 })], "EXPIRED"],
  ["not yet valid", () => [server(root, { notBefore: NOW + 1000, notAfter: NOW + HOUR })], "NOT_YET_VALID"],
  ["expired intermediate", () => {
    const old = makeCa("Old", { issuer: root, notAfter: NOW - 1000 });
    return [server(old), old.certificate];
  }, "EXPIRED"],
  ["a CA as server", () => [middle.certificate], "LEAF_IS_CA"],
  ["for clients only", () => [server(root, { usage: clientOnly })], "WRONG_USAGE"],
  ["a leaf that signs another", () => {
    const key = newKey();
    const certificate = server(root, { key });
    return [server({ certificate, name: build.organizationName(null), key }), certificate];
  }, "path of 3"],
];

for (const [what, presented, expected] of cases) {
  Deno.test(`server path: ${what}: ${expected}`, () => assert.equal(outcome(presented()), expected));
}

Deno.test("server path: the issuing root is found among two with the same name", () => {
  assert.equal(outcome([server(root)], [parsed(impostor.certificate), ...anchors]), "path of 2");
});

Deno.test("server path: without anchors no server is trusted", () => {
  assert.equal(outcome([server(root)], []), "UNKNOWN_ISSUER");
});

Deno.test("server path: the 15! orders of certificates with equal names and keys are not tried", () => {
  const key = newKey();
  const loops = Array.from(
    { length: 15 },
    () => makeCa("Loop", { issuer: { ...impostor, name: build.organizationName("Loop"), key }, key }),
  );
  assert.equal(outcome([server(loops[0]!), ...loops.map((ca) => ca.certificate)]), "UNKNOWN_ISSUER");
});

function nameOutcome(
  leaf: Uint8Array,
  requested: readonly string[],
  issuers: readonly Uint8Array[] = [root.certificate],
) {
  return checkServerName([leaf, ...issuers].map(parsed), requested)?.code ?? "ok";
}

const ip = (...bytes: number[]) => der.element(contextTag(7, false), Uint8Array.from(bytes));
const dns = (name: string) => der.text(contextTag(2, false), name);
const withNames = (...list: Uint8Array[]) =>
  makeLeaf(root, "", { names: [build.extension(Oid.SUBJECT_ALT_NAME, false, der.sequence(...list))] });

const nameCases: readonly [names: Uint8Array[], requested: string[], expected: string][] = [
  [[dns("istiod.istio-system.svc")], ["istiod.istio-system.svc"], "ok"],
  [[dns("Istiod.istio-system.SVC")], ["istiod.ISTIO-system.svc."], "ok"],
  [[dns("istiod.istio-system.svc")], ["istiod.other.svc"], "NAME_MISMATCH"],
  [[dns("istiod.istio-system.svc")], ["10.0.0.1", "istiod.istio-system.svc"], "ok"],
  [[dns("10.0.0.1")], ["10.0.0.1"], "NAME_MISMATCH"],
  [[ip(10, 0, 0, 1)], ["10.0.0.1"], "ok"],
  [[ip(10, 0, 0, 2)], ["10.0.0.1"], "NAME_MISMATCH"],
  [[ip(0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1)], ["fd00::1"], "ok"],
  [[dns("*.istio-system.svc")], ["istiod.istio-system.svc"], "ok"],
  [[dns("*.istio-system.svc")], ["a.b.istio-system.svc"], "NAME_MISMATCH"],
  [[dns("*.istio-system.svc")], ["istio-system.svc"], "NAME_MISMATCH"],
  [[dns("*.istio-system.svc")], [".istio-system.svc"], "NAME_MISMATCH"],
  [[dns("*.svc")], ["istiod.svc"], "NAME_MISMATCH"],
  [[dns("*")], ["localhost"], "NAME_MISMATCH"],
  [[dns("istio*.istio-system.svc")], ["istiod.istio-system.svc"], "NAME_MISMATCH"],
  [[dns("istiod.istio-system.svc\0.evil.example")], ["istiod.istio-system.svc"], "NAME_MISMATCH"],
  [[], ["istiod"], "NAME_MISMATCH"],
  [[dns("istiod")], [], "NAME_MISMATCH"],
];

for (const [list, requested, expected] of nameCases) {
  const shown = parsed(withNames(...list)).dnsNames.join(",") || `${list.length} addresses`;
  Deno.test(`server name: ${JSON.stringify(shown)} for ${requested.join(" or ")}: ${expected}`, () => {
    assert.equal(nameOutcome(withNames(...list), requested), expected);
  });
}

/** Makes an issuer with name constraints. */
function constrained(permitted: Uint8Array[], excluded: Uint8Array[]): Issuer {
  const subtrees = (tag: number, list: Uint8Array[]) =>
    list.length === 0 ? [] : [der.element(contextTag(tag, true), ...list.map((base) => der.sequence(base)))];
  const value = der.sequence(...subtrees(0, permitted), ...subtrees(1, excluded));
  const extensions = [build.caConstraints(null), build.extension(Oid.NAME_CONSTRAINTS, true, value)];
  return makeCa("Constrained", { issuer: root, extensions });
}

const constraintCases: readonly [
  what: string,
  permitted: Uint8Array[],
  excluded: Uint8Array[],
  names: Uint8Array[],
  expected: string,
][] = [
  ["permitted domain", [dns("istio-system.svc")], [], [dns("istiod.istio-system.svc")], "ok"],
  ["other domain", [dns("lab.example")], [], [dns("istiod.istio-system.svc")], "NAME_CONSTRAINT"],
  ["a name that only ends alike", [dns("o-system.svc")], [], [dns("istiod.istio-system.svc")], "NAME_CONSTRAINT"],
  ["excluded domain", [], [dns("svc")], [dns("istiod.istio-system.svc")], "NAME_CONSTRAINT"],
  ["wildcard over an excluded host", [], [dns("a.b.example")], [
    dns("istiod.istio-system.svc"),
    dns("*.b.example"),
  ], "NAME_CONSTRAINT"],
  ["a second name outside", [dns("istio-system.svc")], [], [
    dns("istiod.istio-system.svc"),
    dns("other.svc"),
  ], "NAME_CONSTRAINT"],
  ["address outside the subnet", [ip(10, 0, 0, 0, 255, 0, 0, 0)], [], [
    dns("istiod.istio-system.svc"),
    ip(11, 0, 0, 1),
  ], "NAME_CONSTRAINT"],
  ["address inside the subnet", [ip(10, 0, 0, 0, 255, 0, 0, 0)], [], [
    dns("istiod.istio-system.svc"),
    ip(10, 9, 9, 9),
  ], "ok"],
  ["excluded subnet", [], [ip(10, 0, 0, 0, 255, 0, 0, 0)], [
    dns("istiod.istio-system.svc"),
    ip(10, 9, 9, 9),
  ], "NAME_CONSTRAINT"],
  ["directory names", [der.element(contextTag(4, true), der.sequence())], [], [
    dns("istiod.istio-system.svc"),
  ], "NAME_CONSTRAINT"],
];

for (
  const [usage, expected] of [
    [Oid.SERVER_AUTH, "ok"],
    [Oid.ANY_USAGE, "ok"],
    [Oid.CLIENT_AUTH, "WRONG_USAGE"],
    ["1.3.6.1.5.5.7.3.4", "WRONG_USAGE"],
  ] as const
) {
  Deno.test(`server name, an intermediate whose extended key usage is ${usage}: ${expected}`, () => {
    const limited = [build.caConstraints(null), build.extendedKeyUsage(usage)];
    const middle = makeCa("limited", { issuer: root, extensions: limited });
    const requested = ["istiod.istio-system.svc"];
    assert.equal(nameOutcome(server(middle), requested, [middle.certificate, root.certificate]), expected);
    // The usage of an anchor is not checked.
    assert.equal(nameOutcome(server(middle), requested, [middle.certificate]), "ok");
  });
}

for (const [what, permitted, excluded, list, expected] of constraintCases) {
  Deno.test(`server name, constrained issuer: ${what}: ${expected}`, () => {
    const issuer = constrained(permitted, excluded);
    const leaf = makeLeaf(issuer, "", {
      names: [build.extension(Oid.SUBJECT_ALT_NAME, false, der.sequence(...list))],
    });
    const requested = ["istiod.istio-system.svc"];
    assert.equal(nameOutcome(leaf, requested, [issuer.certificate, root.certificate]), expected);
  });
}

Deno.test("server name: an issuer that is no CA is refused", () => {
  const key = newKey();
  const certificate = server(root, { key });
  const leaf = server({ certificate, name: build.organizationName(null), key });
  assert.equal(nameOutcome(leaf, ["istiod.istio-system.svc"], [certificate, root.certificate]), "ISSUER_NOT_CA");
});
