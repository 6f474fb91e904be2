import { strict as assert } from "node:assert";
import { failureOfAwsLc, failureOfBoringSsl, failureOfOpenSsl } from "./tls_failure.ts";

Deno.test("error codes of OpenSSL 3 are distinguished", () => {
  /** `ERR_PACK`: library 20 is the TLS layer. */
  const code = (reason: number, library = 20) => library << 23 | reason;
  assert.deepEqual(failureOfOpenSsl(code(1116), "tlsv13 alert certificate required"), { kind: "alert", number: 116 });
  assert.deepEqual(failureOfOpenSsl(code(294), "unexpected eof while reading"), { kind: "eof" });
  assert.deepEqual(failureOfOpenSsl(code(199), "peer did not return a certificate"), { kind: "no-certificate" });
  assert.deepEqual(failureOfOpenSsl(code(156), "http request"), { kind: "protocol", text: "http request" });
  assert.equal(failureOfOpenSsl(code(1116, 13), "x"), null);
  assert.deepEqual(failureOfOpenSsl(code(2000), "x"), { kind: "protocol", text: "x" });
});

Deno.test("error codes of BoringSSL are distinguished", () => {
  const code = (reason: number, library = 16) => (library << 24 | reason) >>> 0;
  assert.deepEqual(failureOfBoringSsl(code(1116), "TLSV1_ALERT"), { kind: "alert", number: 116 });
  assert.deepEqual(failureOfBoringSsl(code(192), "x"), { kind: "no-certificate" });
  assert.deepEqual(failureOfBoringSsl(code(294), "X_Y"), { kind: "protocol", text: "x y" });
  assert.equal(failureOfBoringSsl(code(192, 11), "x"), null);
});

Deno.test("error codes of AWS-LC are distinguished", () => {
  const code = (reason: number, layer = 16) => (layer << 24 | reason) >>> 0;
  assert.deepEqual(failureOfAwsLc(code(1116), "TLSV1_ALERT"), { kind: "alert", number: 116 });
  assert.deepEqual(failureOfAwsLc(code(509), "UNEXPECTED_EOF_WHILE_READING"), { kind: "eof" });
  assert.deepEqual(failureOfAwsLc(code(294), "X_Y"), { kind: "protocol", text: "x y" });
});
