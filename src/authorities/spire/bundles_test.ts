import { strict as assert } from "node:assert";
import fc from "fast-check";
import { concatenated, spireCa } from "../../../testkit/spire/ca.ts";
import { parseTrustDomain } from "../../identity/spiffe_id.ts";
import { readBundle, readBundles, sameTrust, trustOf } from "./bundles.ts";

const own = spireCa("example.org").root.certificate;
const other = spireCa("other.test").root.certificate;

function read(raw: Record<string, Uint8Array>) {
  const warnings: string[] = [];
  return { bundles: readBundles(raw, (text) => warnings.push(text)), warnings };
}

Deno.test("identity P1, 4.5: bundles by id of the trust domain and by bare name", () => {
  const { bundles, warnings } = read({ "spiffe://example.org": concatenated(own, other), "other.test": other });
  assert.deepEqual([...bundles.keys()], ["example.org", "other.test"]);
  assert.deepEqual(bundles.get(parseTrustDomain("example.org")!), [own, other]);
  assert.deepEqual(warnings, []);
});

Deno.test("identity 4.5, S28: a malformed entry affects only its own trust domain", () => {
  const { bundles, warnings } = read({
    "spiffe://example.org": own,
    "spiffe://broken.test": Uint8Array.of(0x30, 5, 1),
    "spiffe://Upper.test": other,
    "spiffe://td/path": other,
    "https://x": other,
    "spiffe://junk.test": Uint8Array.of(0x30, 1, 0),
  });
  assert.deepEqual([...bundles.keys()], ["example.org"]);
  assert.equal(warnings.length, 5);
  assert.match(warnings[0]!, /^ignoring the trust bundle of broken.test, no peer of that trust domain/);
  assert.match(warnings[1]!, /"spiffe:\/\/Upper.test", which is no trust domain/);
});

Deno.test("identity 4.5: an empty bundle is valid", () => {
  assert.deepEqual(readBundle(new Uint8Array()), []);
});

Deno.test("identity S27: too many anchors are refused", () => {
  assert.match(String(readBundle(concatenated(own, own, own), 2)), /too many/);
});

Deno.test("identity 5.5, B10: only domains that the workload federates with are trusted", () => {
  const { bundles } = read({ "example.org": own, "other.test": other, "third.test": other });
  const trust = trustOf(parseTrustDomain("example.org")!, bundles, ["spiffe://other.test", "spiffe://unknown.test"]);
  assert.deepEqual([...trust.byTrustDomain.keys()], ["example.org", "other.test"]);
  assert.deepEqual(trust.anyTrustDomain, []);
});

Deno.test("observed O21: unchanged trust is distinguished from changed trust", () => {
  const domain = parseTrustDomain("example.org")!;
  const trust = (raw: Record<string, Uint8Array>) => trustOf(domain, read(raw).bundles, ["other.test"]);
  const before = trust({ "example.org": own, "other.test": other });
  assert.ok(sameTrust(before, trust({ "other.test": other.slice(), "example.org": own.slice() })));
  assert.ok(!sameTrust(before, trust({ "example.org": own })));
  assert.ok(!sameTrust(before, trust({ "example.org": concatenated(own, own), "other.test": other })));
});

Deno.test("identity S28: reading bundles never throws", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), fc.uint8Array()), (raw) => void read(raw)));
});
