import { strict as assert } from "node:assert";
import { CIPHERS, tlsPolicy } from "./tls_policy.ts";

Deno.test("TLS policy, identity 6.1: only exactly pqc restricts the groups", () => {
  assert.deepEqual(tlsPolicy("pqc"), { ciphers: CIPHERS, groups: "X25519MLKEM768" });
  for (const other of [undefined, "", "PQC", "fips", "pqc "]) assert.equal(tlsPolicy(other).groups, null);
});

Deno.test("TLS policy, identity T8: no ChaCha20, strongest first", () => {
  assert.equal(CIPHERS, "TLS_AES_256_GCM_SHA384:TLS_AES_128_GCM_SHA256");
});
