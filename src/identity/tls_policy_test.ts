import { strict as assert } from "node:assert";
import { tlsPolicy } from "./tls_policy.ts";

const plain = { tls12: false, postQuantumOnly: false, fips: false };

Deno.test("TLS policy, identity 6.1, T8: no ChaCha20, strongest first, TLS 1.3 only", () => {
  const { ciphers, tls12Ciphers } = tlsPolicy(plain);
  assert.equal(ciphers, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256");
  assert.equal(tls12Ciphers, null);
});

Deno.test("TLS policy, identity 6.1, T7: TLS 1.2 with four suites", () => {
  const { tls12Ciphers } = tlsPolicy({ ...plain, tls12: true });
  assert.deepEqual(tls12Ciphers?.split(":"), [
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
  ]);
});

Deno.test("TLS policy, identity T9 T10: post-quantum only is one group without a fallback", () => {
  assert.deepEqual(tlsPolicy({ ...plain, postQuantumOnly: true }).groups, ["X25519MLKEM768"]);
});

Deno.test("TLS policy, identity 6.1: post-quantum comes last by default, approved curves for FIPS", () => {
  assert.deepEqual(tlsPolicy(plain).groups, ["X25519:P-256:P-384:X25519MLKEM768", "X25519:P-256:P-384"]);
  assert.deepEqual(tlsPolicy({ ...plain, fips: true }).groups, ["P-256:P-384"]);
});
