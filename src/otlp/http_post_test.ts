/** Requests over a socket: what a collector gets, and answers that are no good ones. */
import { strict as assert } from "node:assert";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { ipName, ROOT, ROOT_PEM, serverIdentity } from "../grpc/testkit/server.ts";
import { connectionProblem } from "./problem.ts";
import { collectorClient, httpPost } from "./http_post.ts";

/** A server that sends `answer` to each connection once it has read a request, and keeps what it has read. */
async function withServer(
  answer: string | null,
  test: (url: string, received: Uint8Array[]) => Promise<void>,
): Promise<void> {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const received: Uint8Array[] = [];
  const open: Deno.Conn[] = [];
  const serving = (async () => {
    for await (const connection of listener) {
      open.push(connection);
      const buffer = new Uint8Array(65_536);
      const count = await connection.read(buffer).catch(() => 0);
      received.push(buffer.slice(0, count ?? 0));
      if (answer === "") connection.close();
      else if (answer !== null) await connection.write(new TextEncoder().encode(answer)).catch(() => {});
    }
  })();
  try {
    await test(`http://127.0.0.1:${listener.addr.port}/v1/logs`, received);
  } finally {
    listener.close();
    for (const connection of open) {
      try {
        connection.close();
      } catch {
        // It is closed already.
      }
    }
    await serving.catch(() => {});
  }
}

const BODY = new TextEncoder().encode("records ".repeat(100));
const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi";
const never = () => new AbortController().signal;

Deno.test("OTLP by HTTP: a request has the headers, and the answer is read", async () => {
  await withServer(OK, async (url, received) => {
    const post = httpPost(
      { url, headers: [["authorization", "Bearer x"]], isCompressed: false },
      undefined,
      "ztunnel/1",
    );
    const { status, body } = await post(BODY, never());
    assert.deepEqual([status, new TextDecoder().decode(body)], [200, "hi"]);
    const text = new TextDecoder().decode(received[0]);
    assert.match(text, /^POST \/v1\/logs HTTP\/1\.1\r\n/);
    for (const header of ["user-agent: ztunnel/1", "authorization: Bearer x", "content-type: application/x-protobuf"]) {
      assert.ok(text.includes(`\r\n${header}\r\n`), header);
    }
  });
});

Deno.test("OTLP by HTTP: a compressed body is gzip", async () => {
  await withServer(OK, async (url, received) => {
    await httpPost({ url, headers: [], isCompressed: true }, undefined, "ztunnel/1")(BODY, never());
    const text = String.fromCharCode(...received[0]!);
    assert.match(text, /\r\ncontent-encoding: gzip\r\n/);
    assert.ok(text.includes("\r\n\r\n\x1f\x8b"));
    assert.ok(received[0]!.length < BODY.length);
  });
});

Deno.test("OTLP by HTTP: a redirection is not followed, as the headers may be secret", async () => {
  const answer =
    "HTTP/1.1 307 Moved\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
  await withServer(answer, async (url) => {
    const { status } = await httpPost({ url, headers: [], isCompressed: false }, undefined, "z")(BODY, never());
    assert.notEqual(Math.floor(status / 100), 2);
  });
});

Deno.test("OTLP by HTTP: Retry-After is passed on", async () => {
  const answer = "HTTP/1.1 429 Slow\r\nretry-after: 7\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
  await withServer(answer, async (url) => {
    const { status, retryAfter } = await httpPost({ url, headers: [], isCompressed: false }, undefined, "z")(
      BODY,
      never(),
    );
    assert.deepEqual([status, retryAfter], [429, "7"]);
  });
});

Deno.test("OTLP by HTTP: an answer without end is read up to 64 KiB", async () => {
  const answer = `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${"x".repeat(200_000)}`;
  await withServer(answer, async (url) => {
    const { body } = await httpPost({ url, headers: [], isCompressed: false }, undefined, "z")(BODY, never());
    assert.ok(body.length >= 65_536 && body.length < 200_000, `${body.length}`);
  });
});

const BROKEN: readonly (readonly [name: string, answer: string])[] = [
  ["closes without an answer", ""],
  ["answers what is no HTTP", "hello\r\n\r\n"],
];
for (const [name, answer] of BROKEN) {
  Deno.test(`OTLP by HTTP: a collector that ${name} is a problem of the connection`, async () => {
    await withServer(answer, async (url) => {
      const post = httpPost({ url, headers: [], isCompressed: false }, undefined, "z");
      const error = await post(BODY, never()).then(() => null, (reason: unknown) => reason);
      const { kind, text } = connectionProblem(error);
      assert.equal(kind, "connection", text);
      assert.ok(!text.includes(url), text);
    });
  });
}

Deno.test("OTLP by HTTP: nobody listens, and an answer that does not come", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  const post = httpPost({ url: `http://127.0.0.1:${port}/`, headers: [], isCompressed: false }, undefined, "z");
  const error = await post(BODY, never()).then(() => null, (reason: unknown) => reason);
  assert.match(connectionProblem(error).text, /refused/i);
  await withServer(null, async (url, received) => {
    const abort = new AbortController();
    const answer = httpPost({ url, headers: [], isCompressed: false }, undefined, "z")(BODY, abort.signal);
    while (received.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    abort.abort();
    await assert.rejects(answer);
  });
});

Deno.test("OTLP by HTTP: a collector that wants a certificate gets that of this proxy", async () => {
  const identity = serverIdentity(ROOT, { names: [ipName(127, 0, 0, 1)] });
  const known: boolean[] = [];
  const server = createServer({ ...identity, ca: [ROOT_PEM], requestCert: true, rejectUnauthorized: false });
  server.on("request", (request, response) => {
    known.push((request.socket as TLSSocket).getPeerCertificate().raw !== undefined);
    response.end("hi");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/v1/logs`;
    for (const shown of [identity, null]) {
      using client = collectorClient({ authorities: ROOT_PEM, identity: shown });
      const post = httpPost({ url, headers: [], isCompressed: false }, client, "z");
      assert.equal((await post(BODY, never())).status, 200);
    }
    assert.deepEqual(known, [true, false]);
  } finally {
    await new Promise<void>((resolve) => void server.close(() => resolve()));
  }
});
