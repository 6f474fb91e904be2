import { strict as assert } from "node:assert";
import { explainLeaf } from "./explain_leaf.ts";
import { HOUR, makeCa, makeLeaf } from "./testkit/certificates.ts";
import { TrustStore } from "./trust_bundles.ts";

const NOW = Date.UTC(2026, 0, 1);
const ca = makeCa("Root", { notBefore: NOW - HOUR, notAfter: NOW + 100 * HOUR });
const ID = "spiffe://other.test/ns/there/sa/peer";
const leaf = makeLeaf(ca, ID, { notBefore: NOW - HOUR, notAfter: NOW + HOUR });
const perDomain = (...domains: readonly string[]) =>
  new TrustStore({ byTrustDomain: new Map(domains.map((name) => [name, [ca.certificate]])), anyTrustDomain: [] });

Deno.test("refused leaf: a trust domain without a bundle is named, with the setting that federates it", () => {
  assert.equal(
    explainLeaf(leaf, perDomain("cluster.local"), NOW),
    ` (it claims to be ${ID}); trust domain other.test is not federated: trusted are cluster.local. With SPIRE the ` +
      "registration entry of the workload here needs -federatesWith spiffe://other.test",
  );
  assert.equal(explainLeaf(leaf, perDomain("cluster.local", "other.test"), NOW), ` (it claims to be ${ID})`);
  const any = new TrustStore({ byTrustDomain: new Map(), anyTrustDomain: [ca.certificate] });
  assert.equal(explainLeaf(leaf, any, NOW), ` (it claims to be ${ID})`);
});

Deno.test("refused leaf: for a wrong clock, ours or the issuer's, all times are shown", () => {
  for (const now of [NOW + 2 * HOUR, NOW - 2 * HOUR]) {
    assert.equal(
      explainLeaf(leaf, perDomain("cluster.local"), now),
      ` (it claims to be ${ID}); it is valid from 2025-12-31T23:00:00.000Z until 2026-01-01T01:00:00.000Z, and the ` +
        `clock of this node says ${new Date(now).toISOString()}`,
    );
  }
});

Deno.test("refused leaf: an unreadable certificate adds nothing", () => {
  for (const bytes of [new Uint8Array(), Uint8Array.of(0x30, 3, 1), leaf.subarray(0, 100)]) {
    assert.equal(explainLeaf(bytes, perDomain("cluster.local"), NOW), "");
  }
});
