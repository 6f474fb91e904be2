import { strict as assert } from "node:assert";
import { CertificateError, type IssuedCertificate } from "./authority.ts";
import { afterFetch, type CertificateState, type FetchOutcome, INITIALIZING, readState } from "./certificate_state.ts";
import { testId } from "./testkit/authority.ts";
import { NO_BUNDLES } from "./trust_bundles.ts";

const NOW = 1000;

function until(notAfter: number): IssuedCertificate {
  const validity = { notBefore: 0, notAfter };
  return { id: testId("a"), chain: [], key: new Uint8Array(), ...validity, serial: "1", bundles: NO_BUNDLES };
}

const error = new CertificateError("x", "UNAVAILABLE");
const failed: FetchOutcome = { ok: false, error };
const valid: CertificateState = { at: "available", certificate: until(NOW + 1) };
const expired: CertificateState = { at: "available", certificate: until(NOW) };
const unavailable: CertificateState = { at: "unavailable", error };

const transitions: readonly [what: string, before: CertificateState, outcome: FetchOutcome, after: CertificateState][] =
  [
    ["initializing, ok", INITIALIZING, { ok: true, certificate: until(9) }, { at: "available", certificate: until(9) }],
    ["initializing, failed", INITIALIZING, failed, unavailable],
    ["valid, ok", valid, { ok: true, certificate: until(9) }, { at: "available", certificate: until(9) }],
    ["valid, failed", valid, failed, valid],
    ["expired, failed", expired, failed, unavailable],
    ["unavailable, failed", unavailable, failed, unavailable],
    ["unavailable, ok", unavailable, { ok: true, certificate: until(9) }, { at: "available", certificate: until(9) }],
  ];

for (const [what, before, outcome, after] of transitions) {
  Deno.test(`certificate state, ${what}`, () => assert.deepEqual(afterFetch(before, outcome, NOW), after));
}

Deno.test("certificate state: what callers get, identity 2.2 S26", () => {
  assert.equal(readState(INITIALIZING, NOW), null);
  assert.deepEqual(readState(valid, NOW), { ok: true, certificate: until(NOW + 1) });
  assert.equal(readState(expired, NOW), null);
  assert.deepEqual(readState(unavailable, NOW), failed);
});
