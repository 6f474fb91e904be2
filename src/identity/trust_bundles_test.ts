import { strict as assert } from "node:assert";
import { isMalformed, parseCertificate } from "./certificate.ts";
import { makeCa } from "./testkit/certificates.ts";
import { anchorKey, anchorsFor, TrustStore } from "./trust_bundles.ts";

const [a, b] = [makeCa("a").certificate, makeCa("b").certificate];

function keyOf(der: Uint8Array): string {
  const anchor = parseCertificate(der);
  assert.ok(!isMalformed(anchor));
  return anchorKey(anchor);
}

Deno.test("trust store: every anchor once, malformed ones are left out and reported", () => {
  const store = new TrustStore({
    byTrustDomain: new Map([["one", [a]], ["two", [a, b, Uint8Array.of(1)]]]),
    anyTrustDomain: [b.slice()],
  });
  assert.deepEqual(store.anchors.map(keyOf), [keyOf(a), keyOf(b)]);
  assert.equal(store.problems.length, 1);
});

Deno.test("trust store: anchors of a domain, and of all others", () => {
  const bundles = { byTrustDomain: new Map([["one", [a]], ["none", []]]), anyTrustDomain: [b] };
  const store = new TrustStore(bundles);
  const vouching = (domain: string) => [a, b].map((der) => store.vouches(keyOf(der), domain));
  assert.deepEqual(vouching("one"), [true, false]);
  assert.deepEqual(vouching("other"), [false, true]);
  // The domain has an empty bundle, so no anchor vouches for it.
  assert.deepEqual(vouching("none"), [false, false]);
  assert.deepEqual(anchorsFor(bundles, "one"), [a]);
  assert.deepEqual(anchorsFor(bundles, "other"), [b]);
});

Deno.test("trust store: bundles can be sent to other threads", () => {
  const bundles = { byTrustDomain: new Map([["one", [a]]]), anyTrustDomain: [b] };
  assert.deepEqual(structuredClone(bundles), bundles);
});
