import { strict as assert } from "node:assert";
import { connectHeaders, headerValue, headerValues } from "./connect_headers.ts";

const REQUEST = { authority: "10.0.0.2:80", baggage: "", forwarded: 'for="10.0.0.1:1"', traceparent: "00-a-b-00" };

Deno.test("dataplane 2.4 a request has its headers in order; baggage is sent also when empty", () => {
  assert.deepEqual(connectHeaders(REQUEST), [
    [":method", "CONNECT"],
    [":authority", "10.0.0.2:80"],
    ["baggage", ""],
    ["forwarded", 'for="10.0.0.1:1"'],
    ["traceparent", "00-a-b-00"],
  ]);
});

Deno.test("dataplane HD-09 HD-10 only an inner request names the network, also the empty one", () => {
  assert.equal(headerValue(connectHeaders(REQUEST), "x-forwarded-network"), null);
  for (const network of ["test-network", ""]) {
    assert.deepEqual(connectHeaders({ ...REQUEST, network }).at(-1), ["x-forwarded-network", network]);
  }
});

Deno.test("header values: the first, all, none", () => {
  const headers = [["baggage", "a"], ["x", "1"], ["baggage", "b"]] as const;
  assert.equal(headerValue(headers, "baggage"), "a");
  assert.deepEqual(headerValues(headers, "baggage"), ["a", "b"]);
  assert.equal(headerValue(headers, "y"), null);
  assert.deepEqual(headerValues(headers, "y"), []);
});
