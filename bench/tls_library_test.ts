import { strict as assert } from "node:assert";
import { versionIn } from "./tls_library.ts";

Deno.test("TLS library: the version in its bytes", () => {
  assert.equal(versionIn("\0OpenSSL 3.5.5 27 Jan 2026\0"), "OpenSSL 3.5.5");
  assert.equal(versionIn("AWS-LC KEM method\0AWS-LC 5.12.0\0"), "AWS-LC 5.12.0");
  assert.equal(versionIn("libssl without its libcrypto"), null);
});
