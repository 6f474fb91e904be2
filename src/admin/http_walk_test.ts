/**
 * Nearly valid requests, one after the other, in pieces of any size: each gets one response, and the connection ends.
 */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { type ByteStream, HttpConnection } from "./http_connection.ts";
import { plainText, type StreamedResponse } from "./response.ts";

/** A stream that gives these pieces and then ends; written bytes are collected. */
class Wire implements ByteStream {
  written = "";
  closed = 0;
  writeClosed = false;
  #rest: Uint8Array[];

  constructor(pieces: readonly Uint8Array[]) {
    this.#rest = [...pieces];
  }
  read(into: Uint8Array): Promise<number | null> {
    assert.equal(this.closed, 0, "read after close");
    assert.ok(into.length > 0, "a read of nothing");
    const piece = this.#rest.shift();
    if (piece === undefined) return Promise.resolve(null);
    if (piece.length > into.length) this.#rest.unshift(piece.subarray(into.length));
    into.set(piece.subarray(0, into.length));
    return Promise.resolve(Math.min(piece.length, into.length));
  }
  write(bytes: Uint8Array): Promise<number> {
    assert.equal(this.writeClosed || this.closed > 0, false, "written after the end");
    this.written += new TextDecoder("latin1").decode(bytes);
    return Promise.resolve(bytes.length);
  }
  closeWrite(): Promise<void> {
    this.writeClosed = true;
    return Promise.resolve();
  }
  close(): void {
    this.closed++;
  }
}

function streamed(): StreamedResponse {
  const pieces = ["one", "", "two"];
  return { status: 200, headers: [], next: () => Promise.resolve(pieces.shift() ?? null), close() {} };
}

const part = <T>(...values: T[]) => fc.constantFrom(...values);
const request = fc.tuple(
  part("GET", "POST", "HEAD", "G\0T", "", "PRI"),
  part(" ", "  ", "\t"),
  part("/", "/streamed", "*", "http://h/streamed?x", "/%00", "/\x7f", `/${"x".repeat(9000)}`),
  part(" HTTP/1.1", " HTTP/1.0", " HTTP/2.0", ""),
  part("\r\n", "\n", "\r"),
  fc.array(
    part(
      ...[
        "host: localhost",
        "content-length: 5",
        "content-length: 70000",
        "content-length: -1",
        "content-length: 5, 5",
      ],
      ...["transfer-encoding: chunked", "connection: close", "connection: keep-alive", "x", ": v", " folded", "a: \0"],
      `big: ${"y".repeat(4000)}`,
    ),
    { maxLength: 4 },
  ),
  part("", "hello", "5\r\nhello\r\n0\r\n\r\n"),
).map(([method, space, target, version, end, fields, body]) =>
  `${method}${space}${target}${version}${end}${fields.map((field) => field + end).join("")}${end}${body}`
);

/** The statuses of the responses, which must be complete. `heads`: methods of the valid requests. */
function answers(text: string, heads: readonly string[]): number[] {
  const statuses: number[] = [];
  for (let rest = text; rest !== "";) {
    const head = /^HTTP\/1\.1 (\d{3}) [^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n/.exec(rest);
    assert.ok(head !== null, `no answer: ${rest.slice(0, 100)}`);
    statuses.push(Number(head[1]));
    rest = rest.slice(head[0].length);
    if (heads[statuses.length - 1] === "HEAD") continue;
    const length = /\r\ncontent-length: (\d+)\r\n/.exec(head[0])?.[1];
    if (length !== undefined) rest = rest.slice(Number(length));
    else if (/\r\ntransfer-encoding: chunked\r\n/.test(head[0])) {
      const end = rest.indexOf("0\r\n\r\n");
      assert.ok(end >= 0, "a chunked body without its end");
      rest = rest.slice(end + 5);
    } else rest = "";
    assert.ok(!head[0].includes("\r\nconnection: close\r\n") || rest === "", "an answer behind the last one");
  }
  return statuses;
}

Deno.test("any requests in any pieces get complete responses, and the connection ends", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(request, { maxLength: 4 }), fc.integer({ min: 1, max: 5000 }), async (requests, size) => {
      const bytes = new TextEncoder().encode(requests.join(""));
      const pieces = [];
      for (let at = 0; at < bytes.length; at += size) pieces.push(bytes.subarray(at, at + size));
      const wire = new Wire(pieces);
      const heads: string[] = [];
      const connection = new HttpConnection(wire, ({ method, path }) => {
        heads.push(method);
        return path === "/streamed" ? streamed() : plainText(200, path.slice(0, 50));
      }, { after: () => ({ cancel() {} }) });
      await connection.serve();
      assert.equal(wire.closed, 1);
      const statuses = answers(wire.written, heads);
      assert.equal(statuses.filter((status) => status === 200).length, heads.length);
      const refused = statuses.filter((status) => status !== 200);
      assert.ok(refused.length <= 1 && refused.every((status) => [400, 414, 417, 431].includes(status)));
    }),
    { numRuns: 1000 },
  );
});
