/** How streams share the output buffer of one connection on a slow transport: those that send little go first. */
import { strict as assert } from "node:assert";
import { FrameType } from "./frame.ts";
import type { Stream } from "./seam.ts";
import { CONNECT } from "./testkit/pair.ts";
import { frame, Scripted, word } from "./testkit/frames.ts";

const GATHERED = 32_768;

/** A server with two bulk streams and two streams that have sent nothing. */
function make() {
  const s = new Scripted("server");
  const windows = word(1 << 24);
  s.send(frame(FrameType.WINDOW_UPDATE, 0, 0, windows), frame(FrameType.SETTINGS, 0, 0, [0, 4, ...windows]));
  s.send(...[1, 3, 5, 7].map((id) => s.headers(id, CONNECT)));
  const streams = s.log.streams.map(({ stream }) => stream);
  const ready: number[] = [];
  for (const log of s.log.streams) log.onSendReady = () => void ready.push(log.stream.id);
  const [a, b, c, d] = streams as [Stream, Stream, Stream, Stream];
  for (const bulk of [a, b]) {
    send(bulk);
    s.take();
  }
  s.connection.limitGathered(GATHERED);
  return { s, a, b, c, d, ready };
}

/** Sends as much as there is room for, up to `most` bytes. Returns the length, or null. */
function send(stream: Stream, most = 262_144): number | null {
  const room = stream.reserve(most, 1 << 20);
  if (room === null) return null;
  stream.commit(room.total, false);
  return room.total;
}

Deno.test("sharing: the bytes gathered for a slow transport are limited, whatever limit `reserve` gets", () => {
  const { s, a, b } = make();
  assert.ok(send(a)! <= GATHERED);
  assert.equal(send(b), null);
  s.take();
  s.connection.limitGathered(null);
  assert.ok(send(b)! > GATHERED);
});

Deno.test("sharing: a stream that sends little gets room although bulk streams have filled the buffer", () => {
  const { a, b, c, d } = make();
  send(a);
  assert.equal(send(b), null);
  for (const stream of [c, d, c, d]) {
    assert.ok(stream.reserve(262_144, 1 << 20) !== null, "the length of a read is not known before it");
    stream.commit(1000, false);
  }
  assert.equal(send(b), null);
});

Deno.test("sharing: of the streams that wait for room, those that send little are notified first", () => {
  const { s, a, b, c, d, ready } = make();
  send(a);
  assert.equal(send(a), null);
  assert.equal(send(b), null);
  send(c, 15_000);
  send(c, 10_000);
  assert.equal(send(d, 20_000), null);
  s.take();
  assert.deepEqual(ready, [d.id, a.id, b.id]);
});

Deno.test("sharing: a stream that has sent much counts as one that sends little again after a while", () => {
  const { s, a, b } = make();
  send(a);
  s.now += 1000;
  s.send();
  assert.equal(send(b, 100), 100);
});
