/** Parsers and checks with almost valid certificates and lists: elements missing, repeated, swapped or changed. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import fc from "fast-check";
import { isMalformed, parseCertificate } from "./certificate.ts";
import * as build from "./certificate_builder.ts";
import { contextTag, DerReader, Tag } from "./der.ts";
import * as der from "./der_write.ts";
import { isMalformedList, parseRevocationList } from "./crl.ts";
import { nameText } from "./name_text.ts";
import { Oid } from "./oids.ts";
import { isRefusal, type PeerRole } from "./peer_chain.ts";
import { publicKeyProblem } from "./public_key.ts";
import { hasSerial } from "./serial_set.ts";
import { checkServerName } from "./server_name.ts";
import { findServerPath } from "./server_path.ts";
import { isSigned } from "./signature.ts";
import { parseSpiffeId } from "./spiffe_id.ts";
import { mutated, mutation } from "./testkit/der_tree.ts";
import { crlSigner, makeCa, makeCrl, makeLeaf, NOW } from "./testkit/certificates.ts";
import { bundlesForAnyDomain, TrustStore } from "./trust_bundles.ts";
import { verifyPeer } from "./verify_peer.ts";
import { spkiOf } from "./local_ca.ts";

const ID = "spiffe://cluster.local/ns/shop/sa/cart";
const uri = (text: string) => der.text(contextTag(6, false), text);
const constraints = (base: string) =>
  build.extension(Oid.NAME_CONSTRAINTS, true, der.sequence(der.element(contextTag(0, true), der.sequence(uri(base)))));

const root = makeCa("root", { extensions: crlSigner() });
const middle = makeCa("middle", {
  issuer: root,
  extensions: [build.caConstraints(1), ...crlSigner().slice(1), constraints("cluster.local")],
});
const leafs = [makeLeaf(middle, ID), makeLeaf(middle, ID, { usage: [] })];
const dns = build.extension(
  Oid.SUBJECT_ALT_NAME,
  false,
  der.sequence(
    der.text(contextTag(2, false), "istiod.istio-system.svc"),
    der.element(contextTag(7, false), Uint8Array.of(10, 0, 0, 1)),
  ),
);
const server = makeLeaf(middle, "", { names: [dns] });
const list = makeCrl(root, [Uint8Array.of(1, 2, 3), Uint8Array.of(200)]);
const trust = new TrustStore(bundlesForAnyDomain([root.certificate]));

const mutations = fc.array(mutation, { minLength: 1, maxLength: 3 });

function signedPart(certificate: Uint8Array): string {
  return new DerReader(certificate).enter(Tag.SEQUENCE).whole().toHex();
}

Deno.test("mutated certificates: an accepted leaf has one strict id, is valid now, and may not sign", () => {
  const chain = fc.tuple(fc.constantFrom(...leafs), mutations, fc.constantFrom("leaf", "middle", "root"));
  fc.assert(
    fc.property(chain, fc.constantFrom<PeerRole>("client", "server"), ([leaf, mutations, which], role) => {
      const path = [leaf, middle.certificate, root.certificate];
      const at = ["leaf", "middle", "root"].indexOf(which);
      path[at] = mutated(path[at]!, mutations);
      const verdict = verifyPeer(path, role, trust, { kind: "trust-domain", trustDomain: "cluster.local" }, NOW);
      if (isRefusal(verdict)) return;
      assert.equal(parseSpiffeId(verdict.id), verdict.id);
      assert.equal(verdict.trustDomain, "cluster.local");
      assert.ok(verdict.workload !== null && verdict.notAfter >= NOW);
      const shown = parseCertificate(path[0]!);
      assert.ok(!isMalformed(shown) && shown.uris.length === 1 && shown.uris[0] === verdict.id);
      assert.ok(!shown.basicConstraints?.ca && ((shown.keyUsage ?? 0) & 0x60) === 0);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("mutated certificates: both parsers agree on what they accept", () => {
  fc.assert(
    fc.property(fc.constantFrom(...leafs, server, middle.certificate), mutations, (whole, mutations) => {
      const bytes = mutated(whole, mutations);
      const read = parseCertificate(bytes);
      if (isMalformed(read)) return;
      let other: X509Certificate;
      try {
        other = new X509Certificate(Buffer.from(bytes));
      } catch {
        return; // OpenSSL is stricter about parts that are not used here: names, keys, algorithms.
      }
      assert.equal(other.validToDate.getTime(), read.notAfter);
      assert.equal(other.validFromDate.getTime(), read.notBefore);
      assert.equal(other.ca, read.basicConstraints?.ca ?? false);
    }),
    { numRuns: 3000 },
  );
});

Deno.test("mutated certificates: a server's path is found only for certificates that their issuers have signed", () => {
  const anchor = parseCertificate(root.certificate);
  assert.ok(!isMalformed(anchor));
  fc.assert(
    fc.property(mutations, fc.boolean(), (mutations, isLeaf) => {
      const presented = [
        isLeaf ? mutated(server, mutations) : server,
        isLeaf ? middle.certificate : mutated(middle.certificate, mutations),
      ];
      const path = findServerPath(presented, [anchor], NOW);
      if (isRefusal(path)) return;
      assert.equal(signedPart(path[0]!.der), signedPart(server));
      assert.equal(signedPart(path[1]!.der), signedPart(middle.certificate));
      assert.equal(path.length, 3);
      checkServerName(path, ["istiod.istio-system.svc", "10.0.0.1"]);
    }),
    { numRuns: 500 },
  );
});

Deno.test("mutated revocation lists: a list with a valid signature has the serials that were signed", () => {
  const key = spkiOf(root.key);
  fc.assert(
    fc.property(mutations, (mutations) => {
      const read = parseRevocationList(mutated(list, mutations));
      if (isMalformedList(read)) return;
      hasSerial(read.serials, Uint8Array.of(200));
      if (!isSigned(read.signed, read.algorithm, read.signature, key)) return;
      assert.equal(read.serials.size, 2);
      assert.ok(hasSerial(read.serials, Uint8Array.of(0, 200)));
    }),
    { numRuns: 1000 },
  );
});

Deno.test("mutated names and keys: names become one line of text, keys are checked without an exception", () => {
  const key = spkiOf(root.key);
  fc.assert(
    fc.property(mutations, (mutations) => {
      assert.doesNotMatch(nameText(mutated(root.name, mutations)), /\p{Cc}/u);
      assert.ok(["string", "object"].includes(typeof publicKeyProblem(mutated(key, mutations))));
    }),
    { numRuns: 2000 },
  );
});
