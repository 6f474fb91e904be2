/** A pass ends when its budget is used up, and nothing of it is lost (`docs/spec/observed.md` O32). */
import { strict as assert } from "node:assert";
import { BufferPool } from "./buffer_pool.ts";
import { H2Connection } from "./connection.ts";
import { PREFACE } from "./frame.ts";
import { defaultOptions } from "./limits.ts";
import { concat, CONNECT, EndpointLog, Sink } from "./testing.ts";
import { data, ping, rst, Scripted, settings, settingsAck } from "./testing_frames.ts";
import { Work, WORK_PER_PASS } from "./work.ts";

/** A server with a budget, fed without a helper that goes on by itself. */
function server(workPerPass: number): { connection: H2Connection; log: EndpointLog; sink: Sink } {
  const log = new EndpointLog();
  const connection = new H2Connection({ ...defaultOptions("server"), workPerPass }, log, new BufferPool(), 0);
  const start = concat([PREFACE, settings(), settingsAck()]);
  connection.receive(start, 0, start.length, 0);
  finish(connection);
  return { connection, log, sink: new Sink() };
}

/** Headers of a peer, as its encoder makes them one after the other. */
function tunnels(count: number): Uint8Array[] {
  const scripted = new Scripted("server");
  return Array.from({ length: count }, (_, i) => scripted.headers(2 * i + 1, CONNECT));
}

/** Passes until nothing is left, the first one included. */
function finish(connection: H2Connection): number {
  let passes = 1;
  for (; connection.behind; passes++) connection.resume(0);
  return passes;
}

Deno.test("work: a pass opens a few streams, the rest wait and come in order", () => {
  const { connection, log } = server(WORK_PER_PASS);
  const bytes = concat(tunnels(100));
  connection.receive(bytes, 0, bytes.length, 0);
  const first = log.streams.length;
  assert.ok(first >= 2 && first <= WORK_PER_PASS / Work.STREAM, `${first} streams`);
  bytes.fill(0xff); // lent: what waits is a copy
  assert.ok(finish(connection) >= 100 / first);
  assert.deepEqual(log.streams.map(({ stream }) => stream.id), Array.from({ length: 100 }, (_, i) => 2 * i + 1));
  assert.equal(log.end, null);
});

Deno.test("work: resets cost, frames of one byte cost a little, payload nothing", () => {
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
  assert.equal(passesFor(Array.from({ length: 10 }, (_, i) => rst(2 * i + 1))), 1);
  assert.equal(passesFor(new Array(3 * WORK_PER_PASS).fill(data(1, [1]))), 3);
});

Deno.test("work: also with a budget of one frame everything comes, and lent bytes are flushed in their pass", () => {
  const { connection, log } = server(1);
  const frames = concat([...tunnels(1), data(1, [1, 2, 3]), data(1, [4, 5], true)]);
  connection.receive(frames, 0, frames.length, 0);
  assert.equal(finish(connection), 3);
  assert.deepEqual([...log.streams[0]!.body], [1, 2, 3, 4, 5]);
  assert.deepEqual(log.streams[0]!.events, ["data", "flush", "data", "end", "flush"]);
});

Deno.test("work: what waits is gone with the connection, and nothing is taken before it", () => {
  const { connection, log } = server(1);
  const frames = concat([ping(), ping(), ping()]);
  connection.receive(frames, 0, frames.length, 0);
  assert.ok(connection.behind);
  assert.throws(() => connection.receive(frames, 0, frames.length, 0), /bytes of before are left/);
  connection.transportEnded("gone");
  assert.ok(!connection.behind);
  connection.resume(0);
  assert.equal(log.end?.reason, "gone");
});

Deno.test("work: a connection that ends in the middle has nothing left", () => {
  const { connection, log } = server(1);
  const frames = concat([ping(), data(99, [1]), ping()]);
  connection.receive(frames, 0, frames.length, 0);
  connection.resume(0);
  assert.equal(log.end?.reason, "DATA on an idle stream");
  assert.ok(!connection.behind);
});
