import { strict as assert } from "node:assert";
import { dropBaggage, readInboundRequest } from "./inbound_request.ts";

const TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Deno.test("inbound request: the headers in use are read, and no others", () => {
  const request = readInboundRequest([
    [":method", "CONNECT"],
    [":authority", "10.0.0.2:80"],
    ["x-padding", "x".repeat(60_000)],
    ["baggage", "a=1"],
    ["baggage", "b=2"],
    ["forwarded", `for="10.0.0.1:1000";host=service.example`],
    ["x-forwarded-network", "remote"],
    ["traceparent", TRACEPARENT],
    ["traceparent", "0".repeat(55)],
  ]);
  assert.deepEqual(request, {
    method: "CONNECT",
    authority: "10.0.0.2:80",
    forwardedHost: "service.example",
    network: "remote",
    baggage: ["a=1", "b=2"],
    traceparent: TRACEPARENT,
  });
  dropBaggage(request);
  assert.deepEqual(request.baggage, []);
});

Deno.test("inbound request: a request without headers, and a forwarded host that is too long", () => {
  const none = { method: "", authority: null, forwardedHost: null, network: null, baggage: [], traceparent: null };
  assert.deepEqual(readInboundRequest([]), none);
  assert.deepEqual(readInboundRequest([["traceparent", `${TRACEPARENT}0`]]), none);
  assert.deepEqual(readInboundRequest([["forwarded", `host=${"h".repeat(256)}`]]), none);
});
