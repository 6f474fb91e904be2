/** Compares the path verification of OpenSSL with `verifyPeer`: which of them refuses which path. */
import { strict as assert } from "node:assert";
import * as build from "./certificate_builder.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import * as der from "./der_write.ts";
import { contextTag } from "./der.ts";
import { Oid } from "./oids.ts";
import { isRefusal } from "./peer_chain.ts";
import { encodePem } from "./pem.ts";
import { leafUsage, makeCa, makeLeaf, NOW } from "./testkit/certificates.ts";
import { bundlesForAnyDomain, TrustStore } from "./trust_bundles.ts";
import { verifyPeer } from "./verify_peer.ts";

const ID = "spiffe://td/ns/a/sa/b";
const root = makeCa("root");
const constrained = makeCa("constrained", {
  issuer: root,
  extensions: [
    build.caConstraints(null),
    build.extension(
      Oid.NAME_CONSTRAINTS,
      true,
      der.sequence(der.element(contextTag(0, true), der.sequence(der.text(contextTag(6, false), "other")))),
    ),
  ],
});
const notCa = makeCa("not a CA", { issuer: root, extensions: [build.leafConstraints()] });
const looseBoolean = der.sequence(
  der.oid(Oid.BASIC_CONSTRAINTS),
  der.octetString(der.sequence(Uint8Array.of(1, 1, 1))),
);

const cases: readonly [what: string, path: readonly Uint8Array[], openssl: boolean, ours: boolean][] = [
  ["a proper leaf", [makeLeaf(root, ID)], true, true],
  ["expired", [makeLeaf(root, ID, { notAfter: NOW - 1000 })], false, false],
  ["usage of the other side", [makeLeaf(root, ID, { usage: [build.extendedKeyUsage(Oid.SERVER_AUTH)] })], false, false],
  [
    "unknown critical extension",
    [makeLeaf(root, ID, { usage: [build.extension("1.2.3", true, der.sequence())] })],
    false,
    false,
  ],
  ["issuer that is no CA", [makeLeaf(notCa, ID), notCa.certificate], false, false],
  ["identity T20: URI name constraint", [makeLeaf(constrained, ID), constrained.certificate], false, false],
  ["another root", [makeLeaf(makeCa("root"), ID)], false, true],
  ["two URI names", [makeLeaf(root, ID, { names: [build.uriAltNames(ID, "spiffe://td/x")] })], true, false],
  ["no URI name", [makeLeaf(root, ID, { names: [] })], true, false],
  ["no SPIFFE id", [makeLeaf(root, "https://td/x")], true, false],
  ["leaf with keyCertSign", [makeLeaf(root, ID, { usage: [build.keyUsage(KeyUsage.KEY_CERT_SIGN)] })], false, false],
  ["leaf that is a CA", [makeLeaf(root, ID, { usage: [build.caConstraints(null)] })], true, false],
  ["duplicate extension", [makeLeaf(root, ID, { usage: [...leafUsage(), build.leafConstraints()] })], false, false],
  ["version 1", [makeLeaf(root, ID, { version: 1 })], true, false],
  ["BOOLEAN 0x01", [makeLeaf(root, ID, { usage: [looseBoolean] })], true, false],
];

async function opensslAccepts(path: readonly Uint8Array[]): Promise<boolean> {
  const directory = await Deno.makeTempDir();
  try {
    const pem = (certificates: readonly Uint8Array[]) =>
      certificates.map((one) => encodePem("CERTIFICATE", one)).join("");
    const files = { root: `${directory}/root`, path: `${directory}/path`, leaf: `${directory}/leaf` };
    await Deno.writeTextFile(files.root, pem([root.certificate]));
    await Deno.writeTextFile(files.path, pem(path.slice(1)));
    await Deno.writeTextFile(files.leaf, pem(path.slice(0, 1)));
    const untrusted = path.length > 1 ? ["-untrusted", files.path] : [];
    const time = ["-attime", String(NOW / 1000)];
    const args = ["verify", "-purpose", "sslclient", ...time, "-CAfile", files.root, ...untrusted, files.leaf];
    return (await new Deno.Command("openssl", { args, stderr: "null", stdout: "null" }).output()).success;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

function weAccept(path: readonly Uint8Array[]): boolean {
  const trust = new TrustStore(bundlesForAnyDomain([root.certificate]));
  const expected = { kind: "trust-domain", trustDomain: "td" } as const;
  return !isRefusal(verifyPeer([...path, root.certificate], "client", trust, expected, NOW));
}

const hasOpenssl = await new Deno.Command("openssl", { args: ["version"], stdout: "null" }).output()
  .then((output) => output.success, () => false);

for (const [what, path, openssl, ours] of cases) {
  Deno.test({ name: `OpenSSL and verifyPeer: ${what}`, ignore: !hasOpenssl }, async () => {
    assert.deepEqual({ openssl: await opensslAccepts(path), ours: weAccept(path) }, { openssl, ours });
  });
}
