import { strict as assert } from "node:assert";
import { lifeOf } from "./certificate_life.ts";
import type { Certificate } from "./wire.ts";

const CERTIFICATE: Certificate = {
  identity: "spiffe://td/ns/a/sa/b",
  workloadUid: null,
  state: "available",
  notBefore: 0,
  notAfter: 1000,
  serial: "1",
  failure: null,
};

Deno.test("certificate life: good, being renewed, late, expired", () => {
  const states = [100, 600, 800, 1000].map((now) => lifeOf(CERTIFICATE, now));
  assert.deepEqual(states, [
    { left: 0.9, state: "good" },
    { left: 0.4, state: "renewing" },
    { left: 0.2, state: "late" },
    { left: 0, state: "expired" },
  ]);
});

Deno.test("certificate life: a failed renewal is late however much is left; none is expired", () => {
  const failure = { code: "TIMEOUT", text: "no answer", cure: "check it" };
  assert.equal(lifeOf({ ...CERTIFICATE, failure }, 100).state, "late");
  assert.deepEqual(lifeOf({ ...CERTIFICATE, notBefore: null, notAfter: null }, 100), { left: 0, state: "expired" });
  assert.equal(lifeOf(CERTIFICATE, -500).left, 1);
});
