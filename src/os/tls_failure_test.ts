import { strict as assert } from "node:assert";
import { failureOfCode } from "./tls_failure.ts";

/** `ERR_PACK`: library 20 is the TLS layer. */
const code = (reason: number, library = 20) => library << 23 | reason;

Deno.test("error codes of OpenSSL 3 are told apart", () => {
  assert.deepEqual(failureOfCode(code(1116), "tlsv13 alert certificate required"), { kind: "alert", number: 116 });
  assert.deepEqual(failureOfCode(code(294), "unexpected eof while reading"), { kind: "eof" });
  assert.deepEqual(failureOfCode(code(199), "peer did not return a certificate"), { kind: "no-certificate" });
  assert.deepEqual(failureOfCode(code(156), "http request"), { kind: "protocol", text: "http request" });
  assert.deepEqual(failureOfCode(code(1116, 13), "x"), { kind: "protocol", text: "x" });
  assert.deepEqual(failureOfCode(code(2000), "x"), { kind: "protocol", text: "x" });
});
