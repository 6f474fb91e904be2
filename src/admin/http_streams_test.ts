/** Streamed bodies of an HTTP connection. */
import { strict as assert } from "node:assert";
import type { StreamedResponse } from "./response.ts";
import { REQUEST, settle, statuses, world } from "./testkit/http_world.ts";

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
  const long = "d".repeat(20_000);
  const { response, made } = body("ab", "", "c".repeat(20), "é", long);
  const { client, done } = world(() => response);
  client.send(REQUEST);
  client.end();
  await done;
  assert.match(client.answer, /^HTTP\/1.1 200 OK\r\ncontent-type: text\/plain\r\ntransfer-encoding: chunked\r\ndate/);
  assert.ok(
    client.answer.endsWith(`\r\n\r\n2\r\nab\r\n14\r\n${"c".repeat(20)}\r\n2\r\né\r\n4e20\r\n${long}\r\n0\r\n\r\n`),
  );
  assert.deepEqual(made, { asked: 6, closed: 1 });
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

/** A body without an end of its own. */
function endless() {
  let wake: ((piece: string | null) => void) | null = null;
  const response: StreamedResponse = {
    status: 200,
    headers: [],
    next: () => new Promise((resolve) => wake = resolve),
    drain: () => wake?.(null),
    close() {},
  };
  return { response, add: (piece: string) => wake?.(piece) };
}

Deno.test("a body without an end of its own goes on while the server drains, until streams are to end", async () => {
  const { response, add } = endless();
  const { client, connection, done } = world(() => response);
  client.send(REQUEST);
  await settle();
  add("a");
  await settle();
  connection.drain();
  add("b");
  await settle();
  assert.ok(client.answer.endsWith("1\r\na\r\n1\r\nb\r\n"));
  connection.endStreams();
  await done;
  assert.ok(client.answer.endsWith("1\r\nb\r\n0\r\n\r\n"));
});

Deno.test("a body without an end of its own that begins when streams are to end has no piece", async () => {
  const { response } = endless();
  const answer = Promise.withResolvers<StreamedResponse>();
  const { client, connection, done } = world(() => answer.promise);
  client.send(REQUEST);
  await settle();
  connection.drain();
  connection.endStreams();
  let isEnded = false;
  answer.resolve({
    ...response,
    drain: () => void (isEnded = true),
    next: () => Promise.resolve(isEnded ? null : "a"),
  });
  await done;
  assert.ok(client.answer.endsWith("\r\n\r\n0\r\n\r\n"));
});
