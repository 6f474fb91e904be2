/** A pass ends when its work budget is used up, and no bytes are lost (`docs/spec/observed.md` O32). */
import { strict as assert } from "node:assert";
import { makeH2Memory } from "./memory.ts";
import { H2Connection } from "./connection.ts";
import { PREFACE } from "./frame.ts";
import { defaultOptions } from "./limits.ts";
import { assertAlive, concat, CONNECT, EndpointLog, Sink } from "./testkit/pair.ts";
import { data, describe, ping, rst, Scripted, settings, settingsAck, split } from "./testkit/frames.ts";
import { Work, WORK_PER_PASS } from "./work.ts";

/** A server with a work budget. The test calls `resume` itself. */
function server(workPerPass: number): { connection: H2Connection; log: EndpointLog; sink: Sink } {
  const log = new EndpointLog();
  const connection = new H2Connection({ ...defaultOptions("server"), workPerPass }, log, makeH2Memory(), 0);
  const start = concat([PREFACE, settings(), settingsAck()]);
  connection.receive(start, 0, start.length, 0);
  finish(connection);
  return { connection, log, sink: new Sink() };
}

/** Requests of a peer, encoded one after the other. */
function tunnels(count: number): Uint8Array[] {
  const scripted = new Scripted("server");
  return Array.from({ length: count }, (_, i) => scripted.headers(2 * i + 1, CONNECT));
}

/** Makes passes until no work is left. Returns their number, including the first one. */
function finish(connection: H2Connection): number {
  let passes = 1;
  for (; connection.hasPendingWork; passes++) connection.resume(0);
  return passes;
}

Deno.test("work: a pass opens a few streams; the other requests wait and are handled in order", () => {
  const { connection, log } = server(WORK_PER_PASS);
  const bytes = concat(tunnels(100));
  connection.receive(bytes, 0, bytes.length, 0);
  const first = log.streams.length;
  assert.ok(first >= 2 && first <= WORK_PER_PASS / Work.STREAM, `${first} streams`);
  bytes.fill(0xff); // the connection must have copied what waits
  assert.ok(finish(connection) >= 100 / first);
  assert.deepEqual(log.streams.map(({ stream }) => stream.id), Array.from({ length: 100 }, (_, i) => 2 * i + 1));
  assertAlive(log);
});

Deno.test("work: resets count much, frames of one byte a little, payload nothing", () => {
  const open = concat(tunnels(10));
  const passesFor = (frames: Uint8Array[]) => {
    const { connection } = server(WORK_PER_PASS);
    connection.receive(open, 0, open.length, 0);
    finish(connection);
    const bytes = concat(frames);
    connection.receive(bytes, 0, bytes.length, 0);
    return finish(connection);
  };
  assert.equal(passesFor([data(1, new Uint8Array(1_000_000))]), 1);
  assert.equal(passesFor(Array.from({ length: 8 }, (_, i) => rst(2 * i + 1))), 1);
  assert.equal(passesFor(new Array(3 * WORK_PER_PASS).fill(data(1, [1]))), 3);
});

Deno.test("work: with a budget of one frame everything arrives too, and payload is flushed in its pass", () => {
  const { connection, log } = server(1);
  const frames = concat([...tunnels(1), data(1, [1, 2, 3]), data(1, [4, 5], true)]);
  connection.receive(frames, 0, frames.length, 0);
  assert.equal(finish(connection), 3);
  assert.deepEqual([...log.streams[0]!.body], [1, 2, 3, 4, 5]);
  assert.deepEqual(log.streams[0]!.events, ["data", "flush", "data", "end", "flush"]);
});

Deno.test("work: bytes that wait are dropped with the connection, and no others are accepted before them", () => {
  const { connection, log } = server(1);
  const frames = concat([ping(), ping(), ping()]);
  connection.receive(frames, 0, frames.length, 0);
  assert.ok(connection.hasPendingWork);
  assert.throws(() => connection.receive(frames, 0, frames.length, 0), /earlier bytes are left/);
  connection.transportEnded("gone");
  assert.ok(!connection.hasPendingWork);
  connection.resume(0);
  assert.equal(log.end?.reason, "gone");
});

Deno.test("work: a connection that ends within a pass has no pending work", () => {
  const { connection, log } = server(1);
  const frames = concat([ping(), data(99, [1]), ping()]);
  connection.receive(frames, 0, frames.length, 0);
  connection.resume(0);
  assert.equal(log.end?.reason, "DATA on an idle stream");
  assert.ok(!connection.hasPendingWork);
});

Deno.test("work: when the transport fails, streams are notified in passes, and the handler after the last one", () => {
  const { connection, log } = server(Infinity);
  const bytes = concat(tunnels(40));
  connection.receive(bytes, 0, bytes.length, 0);
  const notified = () => log.streams.filter(({ failure }) => failure !== null).length;
  connection.transportFailed("gone");
  assert.ok(connection.ended);
  const first = notified();
  assert.ok(first > 0 && first < 40, `${first} streams`);
  assertAlive(log);

  // What the other streams do in the meantime has no effect.
  const { stream } = log.streams.at(-1)!;
  assert.equal(stream.reserve(100, 1 << 20), null);
  stream.end();
  stream.release(1);
  log.streams.at(-2)!.stream.reset(8);
  const sink = new Sink();
  assert.equal(connection.flushTo(sink), "empty");
  assert.equal(sink.take().length, 0);

  for (let before = first; connection.hasPendingWork; before = notified()) {
    connection.resume(0);
    assert.ok(notified() - before <= first);
  }
  assert.equal(notified(), 39, "all but the one that was reset by its owner");
  assert.equal(log.end?.reason, "gone");
  assert.equal(connection.streamCount, 0);
});

Deno.test("work: after a breach GOAWAY is sent before the last stream is notified", () => {
  const { connection, log } = server(Infinity);
  connection.flushTo(new Sink());
  const bytes = concat([...tunnels(40), data(99, [1])]);
  connection.receive(bytes, 0, bytes.length, 0);
  assert.ok(connection.hasPendingWork);
  assertAlive(log);
  const sink = new Sink();
  connection.flushTo(sink);
  assert.equal(split(sink.take()).map(describe).at(-1), "GOAWAY 79 1");
  finish(connection);
  assert.equal(log.end?.reason, "DATA on an idle stream");
});

Deno.test("work: a connection that is closed while it notifies its streams notifies all of them at once", () => {
  const { connection, log } = server(Infinity);
  const bytes = concat(tunnels(40));
  connection.receive(bytes, 0, bytes.length, 0);
  log.streams[20]!.onReset = () => connection.transportEnded("closed by its owner");
  connection.transportFailed("gone");
  finish(connection);
  assert.equal(log.end?.reason, "gone");
  assert.equal(connection.streamCount, 0);
  assert.deepEqual(log.events.filter((event) => event.startsWith("end")), ["end transport 2"]);
});
