import { strict as assert } from "node:assert";
import { ErrorCode } from "./seam.ts";
import { CONNECT, LIMIT, OK, Pair, pattern, sendAll } from "./testkit/pair.ts";

Deno.test("a CONNECT carries bytes both ways and ends on both sides", () => {
  const pair = new Pair();
  const client = pair.open();
  pair.pump();
  assert.deepEqual(pair.serverLog.requests, [CONNECT]);
  assert.deepEqual(client.headers, OK);
  const server = pair.serverLog.streams[0]!;
  const up = pattern(3_000_000, 1), down = pattern(5_000_000, 2);
  sendAll(client, up);
  sendAll(server, down);
  pair.pump();
  assert.deepEqual(server.body, up);
  assert.deepEqual(client.body, down);
  assert.ok(client.stream.closed && server.stream.closed);
  assert.equal(pair.client.streamCount + pair.server.streamCount, 0);
  assert.deepEqual(client.events.slice(-2), ["end", "flush"]);
});

Deno.test("the peer's SETTINGS are reported once, and idle connections hold no buffer", () => {
  const pair = new Pair();
  pair.pump();
  assert.deepEqual(pair.clientLog.events, ["settings"]);
  assert.deepEqual(pair.serverLog.events, ["settings"]);
  assert.equal(pair.pool.lentBytes, 0);
  assert.equal(pair.client.canOpen, true);
});

Deno.test("a reset reaches the other side with its code, and the bytes before it", () => {
  const pair = new Pair();
  const client = pair.open();
  pair.pump();
  sendAll(client, pattern(1000), false);
  client.stream.reset(ErrorCode.CANCEL);
  pair.pump();
  const server = pair.serverLog.streams[0]!;
  assert.deepEqual(server.body, pattern(1000));
  assert.deepEqual(server.failure, { by: "peer", code: ErrorCode.CANCEL, reason: "stream no longer needed" });
  assert.deepEqual(server.events, ["data", "flush", "reset peer 8"]);
});

Deno.test("a server that drains sends GOAWAY twice, its streams go on, and it ends after the last one", () => {
  const pair = new Pair();
  const client = pair.open();
  pair.pump();
  pair.server.drain(pair.now);
  pair.pump();
  assert.deepEqual(pair.clientLog.events.slice(1), ["goaway 2147483647 0", "goaway 1 0"]);
  assert.equal(pair.client.canOpen, false);
  const server = pair.serverLog.streams[0]!;
  sendAll(client, pattern(10));
  sendAll(server, pattern(10));
  pair.pump();
  assert.deepEqual(server.body, pattern(10));
  assert.equal(pair.serverLog.end?.reason, "drained");
  assert.equal(pair.clientLog.end?.by, "peer");
});

Deno.test("a client that drains without open streams ends at once", () => {
  const pair = new Pair();
  pair.pump();
  pair.client.drain(pair.now);
  assert.equal(pair.clientLog.end?.reason, "drained");
  pair.pump();
  assert.deepEqual(pair.serverLog.events.slice(1), ["goaway 0 0"]);
});

Deno.test("busy streams are those that have moved much since the last count, in either direction, or wait for the connection", () => {
  const pair = new Pair();
  const [up, down, little] = [pair.open(), pair.open(), pair.open()];
  pair.pump();
  sendAll(up!, pattern(1000), false);
  sendAll(pair.serverLog.streams[1]!, pattern(1000), false);
  sendAll(little!, pattern(999), false);
  pair.pump();
  assert.equal(pair.client.countBusyStreams(1000), 2);
  assert.equal(pair.client.countBusyStreams(1), 0, "nothing was moved since");
  // Nothing is flushed, so the output buffer is full and the rest waits.
  sendAll(down!, pattern(3 * LIMIT), false);
  assert.equal(pair.client.countBusyStreams(Infinity), 1);
});
