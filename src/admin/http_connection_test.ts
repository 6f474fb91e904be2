import { strict as assert } from "node:assert";
import type { Clock } from "../net/clock.ts";
import { type ByteStream, HttpConnection, type HttpHandler } from "./http_connection.ts";
import { plainText, type StreamedResponse } from "./response.ts";

/** A client in memory: the test sends bytes, and all received bytes are collected. */
class Client implements ByteStream {
  #chunks: Uint8Array[] = [];
  #wake: (() => void) | null = null;
  #ended = false;
  readonly #decoder = new TextDecoder();
  closed = false;
  writeClosed = false;
  answer = "";

  send(text: string) {
    this.#chunks.push(new TextEncoder().encode(text));
    this.#wake?.();
  }
  end() {
    this.#ended = true;
    this.#wake?.();
  }
  async read(into: Uint8Array): Promise<number | null> {
    while (this.#chunks.length === 0) {
      if (this.closed) throw new Error("closed");
      if (this.#ended) return null;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
    const chunk = this.#chunks.shift() ?? new Uint8Array(0);
    const part = chunk.subarray(0, into.length);
    if (part.length < chunk.length) this.#chunks.unshift(chunk.subarray(part.length));
    into.set(part);
    return part.length;
  }
  write(bytes: Uint8Array): Promise<number> {
    const part = bytes.subarray(0, 10);
    this.answer += this.#decoder.decode(part, { stream: true });
    return Promise.resolve(part.length);
  }
  closeWrite() {
    this.writeClosed = true;
    return Promise.resolve();
  }
  close() {
    this.closed = true;
    this.#wake?.();
  }
}

/** A clock that the test advances. */
class VirtualTimers implements Pick<Clock, "after"> {
  readonly #pending = new Map<() => void, number>();
  #now = 0;
  after(delay: number, run: () => void) {
    this.#pending.set(run, this.#now + delay);
    return { cancel: () => void this.#pending.delete(run) };
  }
  pass(millis: number) {
    this.#now += millis;
    for (const [run, at] of this.#pending) {
      if (at <= this.#now && this.#pending.delete(run)) run();
    }
  }
}

function world(handler: HttpHandler = ({ method, path }) => plainText(200, `${method} ${path}\n`)) {
  const client = new Client();
  const timers = new VirtualTimers();
  const connection = new HttpConnection(client, handler, timers);
  return { client, timers, connection, done: connection.serve() };
}

/** Runs all tasks that do not need further input. */
async function settle() {
  for (let i = 0; i < 200; i++) await Promise.resolve();
}

const statuses = (client: Client) => [...client.answer.matchAll(/HTTP\/1\.1 (\d+)/g)].map((match) => Number(match[1]));
const REQUEST = "GET /a?b HTTP/1.1\r\nhost: x\r\n\r\n";

Deno.test("config 4.1 requests on one connection, also pipelined", async () => {
  const { client, done } = world();
  client.send(REQUEST.slice(0, 12));
  client.send(REQUEST.slice(12) + REQUEST);
  await settle();
  assert.deepEqual(statuses(client), [200, 200]);
  client.send(REQUEST);
  client.end();
  await done;
  assert.deepEqual(statuses(client), [200, 200, 200]);
  assert.match(
    client.answer,
    /\r\ncontent-type: text\/plain\r\ncontent-length: 7\r\ndate: [^\r]+GMT\r\n\r\nGET \/a\nHTTP/,
  );
  assert.ok(client.closed);
});

Deno.test("config 4.1 a head that takes longer than two seconds closes the connection without a response", async () => {
  const { client, timers, done } = world();
  client.send("GET / HTTP");
  await settle();
  timers.pass(1_999);
  await settle();
  assert.equal(client.closed, false);
  timers.pass(1);
  await done;
  assert.equal(client.answer, "");
});

Deno.test("config 4.1 an idle connection ends after two seconds", async () => {
  const { client, timers, done } = world();
  timers.pass(1_500);
  client.send(REQUEST);
  await settle();
  timers.pass(1_999);
  await settle();
  assert.equal(client.closed, false);
  timers.pass(1);
  await done;
  assert.deepEqual(statuses(client), [200]);
});

Deno.test("config 4.1 the time of a handler is not limited", async () => {
  const answer = Promise.withResolvers<ReturnType<typeof plainText>>();
  const { client, timers, done } = world(() => answer.promise);
  client.send(REQUEST);
  await settle();
  timers.pass(60_000);
  answer.resolve(plainText(200, "late"));
  client.end();
  await done;
  assert.deepEqual(statuses(client), [200]);
});

for (
  const [name, text, status] of [
    ["malformed", "nonsense\r\n\r\n", 400],
    ["long target", `GET /${"x".repeat(9000)}`, 414],
    ["long head", `GET / HTTP/1.1\r\na: ${"x".repeat(9000)}`, 431],
  ] as const
) {
  Deno.test(`config 4.1 ${name}: ${status}, empty, closed after the client has read it`, async () => {
    const { client, done } = world();
    client.send(text);
    await settle();
    assert.match(client.answer, new RegExp(`^HTTP/1.1 ${status} [^]*\\r\\ncontent-length: 0\\r\\n[^]*\\r\\n\\r\\n$`));
    assert.ok(client.writeClosed && !client.closed);
    client.end();
    await done;
  });
}

Deno.test("config 4.1 a failing handler answers 500 and the connection stays", async () => {
  let calls = 0;
  const { client, done } = world(() => {
    if (calls++ === 0) throw new Error("no snapshot");
    return plainText(200, "fine");
  });
  client.send(REQUEST + REQUEST);
  client.end();
  await done;
  assert.deepEqual(statuses(client), [500, 200]);
  assert.match(client.answer, /\r\n\r\nno snapshotHTTP/);
  assert.doesNotMatch(client.answer.slice(0, client.answer.indexOf("no snapshot")), /content-type/);
});

Deno.test("config 4.1 HEAD has no body", async () => {
  const { client, done } = world();
  client.send("HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n");
  await done;
  assert.match(client.answer, /content-length: 7\r\nconnection: close\r\n[^]*\r\n\r\n$/);
});

Deno.test("config 4.1 a client that waits for 100-continue gets the response at once and is disconnected", async () => {
  const { client, done } = world();
  client.send("POST /a HTTP/1.1\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\n");
  await settle();
  assert.deepEqual(statuses(client), [200]);
  assert.match(client.answer, /connection: close/);
  client.end();
  await done;
});

Deno.test("config 4.1 a client that announces 100-continue but does not wait keeps its connection", async () => {
  const { client, done } = world();
  client.send("POST /a HTTP/1.1\r\ncontent-length: 5\r\nexpect: 100-continue\r\n\r\nhello" + REQUEST);
  client.end();
  await done;
  assert.deepEqual(statuses(client), [200, 200]);
});

Deno.test("config 4.1 a small body is read and ignored", async () => {
  const { client, done } = world();
  client.send("POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\n12345");
  client.send("67890" + REQUEST);
  client.end();
  await done;
  assert.deepEqual(statuses(client), [200, 200]);
});

for (const field of ["content-length: 100000", "transfer-encoding: chunked"]) {
  Deno.test(`config 4.1 a body with ${field} ends the connection after the answer`, async () => {
    const { client, timers, done } = world();
    client.send(`POST / HTTP/1.1\r\n${field}\r\n\r\nabc`);
    await settle();
    assert.deepEqual(statuses(client), [200]);
    assert.match(client.answer, /connection: close/);
    timers.pass(2_000);
    await done;
  });
}

Deno.test("config 4.1 draining closes idle connections at once", async () => {
  const { client, connection, done } = world();
  await settle();
  connection.drain();
  await done;
  assert.ok(client.closed);
});

Deno.test("config 4.1 draining waits for the request in progress", async () => {
  const answer = Promise.withResolvers<ReturnType<typeof plainText>>();
  const { client, connection, done } = world(() => answer.promise);
  client.send(REQUEST + REQUEST);
  await settle();
  connection.drain();
  assert.equal(client.closed, false);
  answer.resolve(plainText(200, "late"));
  await done;
  assert.deepEqual(statuses(client), [200]);
  assert.match(client.answer, /connection: close/);
});

Deno.test("a response is closed when it has been sent and when its client is disconnected", async () => {
  let closed = 0;
  const { client, timers, done } = world(() => ({ ...plainText(200, "x"), close: () => void closed++ }));
  client.send(REQUEST);
  await settle();
  assert.equal(closed, 1);
  client.write = () => new Promise((_, reject) => client.close = () => reject(new Error("closed")));
  client.send(REQUEST);
  await settle();
  assert.equal(closed, 1);
  timers.pass(30_000);
  await done;
  assert.equal(closed, 2);
});

Deno.test("config 4.1 a client that does not read is disconnected", async () => {
  const { client, timers, done } = world();
  client.write = () => new Promise((_, reject) => client.close = () => reject(new Error("closed")));
  client.send(REQUEST);
  await settle();
  timers.pass(30_000);
  await done;
  assert.equal(client.answer, "");
});

/** A streamed body, and whether it was closed. */
function body(...pieces: readonly (string | Error | Promise<string>)[]) {
  const rest = [...pieces];
  const made = { asked: 0, closed: 0 };
  const response: StreamedResponse = {
    status: 200,
    headers: [["content-type", "text/plain"]],
    async next() {
      made.asked++;
      const piece = await rest.shift();
      if (piece instanceof Error) throw piece;
      return piece ?? null;
    },
    close: () => void made.closed++,
  };
  return { response, made };
}

Deno.test("a streamed body is sent in chunks, and the connection is kept", async () => {
  const { response, made } = body("ab", "", "c".repeat(20), "é");
  const { client, done } = world(() => response);
  client.send(REQUEST);
  client.end();
  await done;
  assert.match(client.answer, /^HTTP\/1.1 200 OK\r\ncontent-type: text\/plain\r\ntransfer-encoding: chunked\r\ndate/);
  assert.ok(client.answer.endsWith(`\r\n\r\n2\r\nab\r\n14\r\n${"c".repeat(20)}\r\n2\r\né\r\n0\r\n\r\n`));
  assert.deepEqual(made, { asked: 5, closed: 1 });
});

Deno.test("a streamed body ends with the connection where the client does not support chunks", async () => {
  const { response } = body("ab", "c");
  const { client, done } = world(() => response);
  client.send("GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
  await done;
  assert.match(client.answer, /connection: close\r\n[^]*\r\n\r\nabc$/);
  assert.doesNotMatch(client.answer, /chunked|content-length/);
});

Deno.test("the response to HEAD makes no piece", async () => {
  const { response, made } = body("ab");
  const { client, done } = world(() => response);
  client.send("HEAD / HTTP/1.1\r\n\r\n" + REQUEST);
  client.end();
  await done;
  assert.deepEqual(statuses(client), [200, 200]);
  assert.equal(made.closed, 2);
});

Deno.test("a streamed body that fails at once gives status 500; later the connection is closed", async () => {
  const [first, later] = [body(new Error("no worker")), body("ab", new Error("no worker"))];
  const responses = [first, later];
  const { client, done } = world(() => responses.shift()!.response);
  client.send(REQUEST + REQUEST);
  await done;
  assert.deepEqual(statuses(client), [500, 200]);
  assert.match(client.answer, /\r\n\r\nno workerHTTP[^]*\r\n2\r\nab\r\n$/);
  assert.deepEqual([first.made.closed, later.made.closed], [1, 1]);
});

Deno.test("a piece is made after the previous one was written; a client that does not read is disconnected", async () => {
  const { response, made } = body("a", "b", "c");
  const { client, timers, done } = world(() => response);
  let blocked: () => void = () => {};
  const write = client.write.bind(client);
  client.write = (bytes) =>
    new TextDecoder().decode(bytes).startsWith("1\r\na")
      ? new Promise((_, reject) => blocked = () => reject(new Error("closed")))
      : write(bytes);
  client.close = () => blocked();
  client.send(REQUEST);
  await settle();
  assert.equal(made.asked, 1);
  timers.pass(10_000);
  await done;
  assert.deepEqual(made, { asked: 1, closed: 1 });
});

/** Answers with the body, or with the reason why there is none. */
const echo: HttpHandler = async (_request, body) => {
  const read = await body!.read(10);
  return plainText(200, typeof read === "string" ? read : new TextDecoder().decode(read));
};

Deno.test("a handler reads the body, and the next request follows it", async () => {
  const { client, done } = world(echo);
  client.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n01234");
  await settle();
  assert.equal(client.answer, "");
  client.send("56789GET /b HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
  await settle();
  client.end();
  await done;
  assert.deepEqual(statuses(client), [200, 200]);
  assert.match(client.answer, /\r\n\r\n0123456789HTTP/);
});

Deno.test("a client that expects 100-continue gets 100 Continue where a handler reads the body", async () => {
  const { client, done } = world(echo);
  client.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\nexpect: 100-continue\r\n\r\n");
  await settle();
  assert.equal(client.answer, "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hi");
  await settle();
  client.end();
  await done;
  assert.match(client.answer, /\r\n\r\nhi$/);
});

Deno.test("a body that is too large or of unknown length is not read by a handler, one that does not come ends", async () => {
  const large = world(echo);
  large.client.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 11\r\n\r\n01234567890");
  await settle();
  assert.match(large.client.answer, /the body has 11 bytes, more than 10$/);
  large.client.end();
  await large.done;
  const chunked = world(echo);
  chunked.client.send("POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n");
  await settle();
  assert.match(chunked.client.answer, /send it with Content-Length$/);
  chunked.client.end();
  await chunked.done;
  const slow = world(echo);
  slow.client.send("POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n");
  await settle();
  slow.timers.pass(10_000);
  await slow.done;
  assert.equal(slow.client.closed, true);
});
