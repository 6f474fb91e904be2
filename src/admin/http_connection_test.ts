import { strict as assert } from "node:assert";
import type { HttpHandler } from "./http_connection.ts";
import { plainText } from "./response.ts";
import { REQUEST, settle, statuses, world } from "./testkit/http_world.ts";

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

/** A response whose body has no end of its own, and how often it was closed. */
function endless() {
  const end = Promise.withResolvers<null>();
  const pieces = [Promise.resolve("first"), end.promise];
  const response = {
    status: 200,
    headers: [],
    next: () => pieces.shift() ?? Promise.resolve(null),
    drain: () => end.resolve(null),
    close: () => void response.closed++,
    closed: 0,
  };
  return response;
}

Deno.test("a body without an end of its own is closed when its reader disconnects", async () => {
  const response = endless();
  const { client, done } = world(() => response);
  client.send(REQUEST);
  await settle();
  assert.match(client.answer, /first/);
  assert.equal(response.closed, 0);
  client.end();
  await done;
  assert.equal(response.closed, 1);
  assert.ok(client.closed);
});

Deno.test("a body without an end of its own ends with its connection when the streams end", async () => {
  const response = endless();
  const { client, connection, done } = world(() => response);
  client.send(REQUEST);
  await settle();
  connection.endStreams();
  await done;
  assert.match(client.answer, /connection: close[^]*first\r\n0\r\n\r\n$/);
  assert.equal(response.closed, 1);
});
