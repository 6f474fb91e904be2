import { strict as assert } from "node:assert";
import fc from "fast-check";
import { parseRequestHead, type RequestHead } from "./request_head.ts";

const bytes = (text: string) => Uint8Array.from(text, (char) => char.charCodeAt(0));

function head(text: string): RequestHead {
  const result = parseRequestHead(bytes(text));
  assert.ok(result.kind === "head", JSON.stringify(result));
  return result.head;
}

Deno.test("request head: a plain request", () => {
  const text = "POST /logging?level=debug&reset HTTP/1.1\r\nHost: x\r\nAccept: a\r\naccept:\tb \r\nX:\r\n\r\nrest";
  const result = parseRequestHead(bytes(text));
  assert.ok(result.kind === "head");
  assert.equal(result.size, text.length - 4);
  assert.deepEqual(
    { ...result.head, headers: [...result.head.headers] },
    {
      method: "POST",
      path: "/logging",
      query: "level=debug&reset",
      headers: [["host", ["x"]], ["accept", ["a", "b"]], ["x", [""]]],
      minor: 1,
      keepAlive: true,
      bodyLength: 0,
      waitsWithBody: false,
    },
  );
});

Deno.test("request head: forms of the target", () => {
  assert.equal(head("GET http://host:1/a?b?c HTTP/1.1\r\n\r\n").path, "/a");
  assert.equal(head("GET http://host:1/a?b?c HTTP/1.1\r\n\r\n").query, "b?c");
  assert.equal(head("GET http://host HTTP/1.1\r\n\r\n").path, "/");
  assert.equal(head("OPTIONS * HTTP/1.1\n\n").path, "*");
});

Deno.test("request head: whether the connection is kept", () => {
  const keeps = (version: string, connection: string) =>
    head(`GET / HTTP/${version}\r\n${connection === "" ? "" : `connection: ${connection}\r\n`}\r\n`).keepAlive;
  assert.equal(keeps("1.1", ""), true);
  assert.equal(keeps("1.1", "Upgrade , Close"), false);
  assert.equal(keeps("1.0", ""), false);
  assert.equal(keeps("1.0", "Keep-Alive"), true);
});

Deno.test("request head: bodies", () => {
  const length = (fields: string) => head(`POST / HTTP/1.1\r\n${fields}\r\n\r\n`).bodyLength;
  assert.equal(length("content-length: 12"), 12);
  assert.equal(length("content-length: 12\r\nContent-Length: 12"), 12);
  assert.equal(length("transfer-encoding: chunked"), null);
});

Deno.test("request head: whether the client waits for 100-continue", () => {
  const waits = (fields: string, version = "1.1") => head(`POST / HTTP/${version}\r\n${fields}\r\n\r\n`).waitsWithBody;
  assert.equal(waits("content-length: 12\r\nExpect: 100-Continue"), true);
  assert.equal(waits("transfer-encoding: chunked\r\nexpect: 100-continue"), true);
  assert.equal(waits("content-length: 12"), false);
  assert.equal(waits("content-length: 0\r\nexpect: 100-continue"), false);
  assert.equal(waits("content-length: 12\r\nexpect: 100-continue", "1.0"), false);
});

const REFUSED: readonly (readonly [string, number])[] = [
  ["GARBAGE\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nexpect: a-miracle\r\n\r\n", 417],
  ["GET / HTTP/2.0\r\n\r\n", 400],
  ["GET  / HTTP/1.1\r\n\r\n", 400],
  ["GET / HTTP/1.1 \r\n\r\n", 400],
  ["G@T / HTTP/1.1\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nno colon\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\na: b\r\n folded\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\nspace : b\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\na: b\0\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\ncontent-length: -1\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400],
  ["GET / HTTP/1.1\r\ntransfer-encoding: gzip, chunked\r\n\r\n", 400],
  ["GET / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n", 400],
  [`GET /${"x".repeat(9000)} HTTP/1.1\r\n\r\n`, 414],
  [`GET / HTTP/1.1\r\na: ${"x".repeat(9000)}\r\n\r\n`, 431],
  [`GET / HTTP/1.1\r\n${"a: b\r\n".repeat(101)}\r\n`, 431],
];
for (const [text, status] of REFUSED) {
  Deno.test(`config 4.1 ${JSON.stringify(text.slice(0, 60))} is refused with ${status}`, () => {
    assert.deepEqual(parseRequestHead(bytes(text)), { kind: "refused", status });
  });
}

Deno.test("request head: the result does not depend on how the bytes are split", () => {
  const line = fc.constantFrom("GET / HTTP/1.1", "a: b", "", "Host: x", "connection: close", "\r", "bad", ": c");
  const text = fc.array(line, { maxLength: 8 }).map((lines) => lines.join("\r\n"));
  fc.assert(fc.property(text, (input) => {
    const whole = parseRequestHead(bytes(input));
    for (let length = 0; length < input.length; length++) {
      const part = parseRequestHead(bytes(input.slice(0, length)));
      if (part.kind !== "incomplete") return assert.deepEqual(part, whole);
    }
  }));
});

Deno.test("request head: parsing any bytes does not throw", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (input) => {
    const result = parseRequestHead(input);
    if (result.kind === "head") assert.ok(result.size <= input.length);
  }));
});

Deno.test("request head: many spaces and tabs are skipped in linear time", () => {
  // A parser that tries each way to divide them takes minutes.
  const blanks = " \t".repeat(4000);
  const refused = parseRequestHead(bytes(`GET / HTTP/1.1\r\nhost:${blanks}\x01\r\n\r\n`));
  assert.deepEqual(refused, { kind: "refused", status: 400 });
  const closing = parseRequestHead(
    bytes(`GET / HTTP/1.1\r\nconnection:${blanks.slice(4000)}x${blanks.slice(4000)},close \r\n\r\n`),
  );
  assert.ok(closing.kind === "head" && !closing.head.keepAlive);
});
