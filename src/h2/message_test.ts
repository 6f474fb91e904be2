import { strict as assert } from "node:assert";
import { announcedLength, flawInRequest, flawInTrailers, statusOf } from "./message.ts";
import type { HeaderList } from "./seam.ts";

const connect: HeaderList = [[":method", "CONNECT"], [":authority", "10.0.0.1:80"]];
const get: HeaderList = [[":method", "GET"], [":scheme", "http"], [":path", "/"]];
const REQUESTS: [string, HeaderList, boolean][] = [
  ["CONNECT", connect, true],
  ["CONNECT with a v6 authority", [[":method", "CONNECT"], [":authority", "[2001:db8::1]:80"]], true],
  ["CONNECT to a name", [[":method", "CONNECT"], [":authority", "app.ns.svc:80"]], true],
  ["GET without authority", get, true],
  ["OPTIONS *", [[":method", "OPTIONS"], [":scheme", "http"], [":path", "*"]], true],
  ["CONNECT with :path", [...connect, [":path", "/"]], false],
  ["CONNECT with :scheme", [...connect, [":scheme", "http"]], false],
  ["extended CONNECT", [...connect, [":protocol", "websocket"]], false],
  ["CONNECT without :authority", [[":method", "CONNECT"]], false],
  ["CONNECT with an empty :authority", [[":method", "CONNECT"], [":authority", ""]], false],
  ["CONNECT with a space in :authority", [[":method", "CONNECT"], [":authority", "a b:80"]], false],
  ["CONNECT with a path in :authority", [[":method", "CONNECT"], [":authority", "a:80/x"]], false],
  ["no :method", [[":authority", "x"]], false],
  ["empty :method", [[":method", ""], ...get.slice(1)], false],
  ["a :method that is no token", [[":method", "GET /"], ...get.slice(1)], false],
  ["no :path", get.slice(0, 2), false],
  ["empty :path", [...get.slice(0, 2), [":path", ""]], false],
  ["no :scheme", [get[0]!, get[2]!], false],
  ["two :method", [...connect, [":method", "CONNECT"]], false],
  ["two :path", [...get, [":path", "/"]], false],
  ["two :scheme", [...get, [":scheme", "http"]], false],
  ["two :authority", [...connect, [":authority", "x"]], false],
  [":status in a request", [...get, [":status", "200"]], false],
  ["unknown pseudo header", [...get, [":x", "y"]], false],
  ["pseudo header behind a regular one", [...get.slice(0, 2), ["a", "b"], get[2]!], false],
  ["nothing", [], false],
];
for (const [name, headers, fine] of REQUESTS) {
  Deno.test(`request: ${name}`, () => assert.equal(flawInRequest(headers) === null, fine));
}

const RESPONSES: [string, HeaderList, number | null][] = [
  ["200", [[":status", "200"], ["a", "b"]], 200],
  ["interim", [[":status", "100"]], 100],
  ["no :status", [["a", "b"]], null],
  ["two :status", [[":status", "200"], [":status", "200"]], null],
  [":status behind a regular header", [["a", "b"], [":status", "200"]], null],
  [":status of four digits", [[":status", "2000"]], null],
  [":status no number", [[":status", "2x0"]], null],
  [":status 099", [[":status", "099"]], null],
  [":path", [[":status", "200"], [":path", "/"]], null],
];
for (const [name, headers, status] of RESPONSES) {
  Deno.test(`response: ${name}`, () => {
    const found = statusOf(headers);
    assert.equal(typeof found === "number" ? found : null, status);
  });
}

Deno.test("trailers must not contain pseudo headers", () => {
  assert.equal(flawInTrailers([["grpc-status", "0"]]), null);
  assert.notEqual(flawInTrailers([[":status", "200"]]), null);
});

Deno.test("content-length", () => {
  const length = (...values: string[]) =>
    announcedLength([...get, ...values.map((v) => ["content-length", v] as const)]);
  assert.equal(length(), -1);
  assert.equal(length("12"), 12);
  assert.equal(typeof length("12", "12"), "string");
  assert.equal(typeof length("12", "13"), "string");
  assert.equal(typeof length("-1"), "string");
  assert.equal(typeof length(""), "string");
  assert.equal(typeof length("1".repeat(20)), "string");
  assert.equal(announcedLength([...connect, ["content-length", "5"]]), -1, "a CONNECT has no content");
  assert.equal(typeof announcedLength([...connect, ["content-length", "x"]]), "string");
  assert.equal(typeof announcedLength([...connect, ["content-length", "5"], ["content-length", "5"]]), "string");
});
