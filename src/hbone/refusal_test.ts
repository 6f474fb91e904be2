import { strict as assert } from "node:assert";
import { FrameType } from "../h2/frame.ts";
import { data, describe, GET, Scripted, setting, settings, windowUpdate } from "../h2/testkit/frames.ts";
import type { Timer } from "../net/clock.ts";
import { refuseWithText } from "./refusal.ts";

const LENGTH = 58;
const INITIAL_WINDOW_SIZE = 4;

/** A clock with one timer at most. */
class OneTimer {
  due: (() => void) | null = null;

  after(_delay: number, run: () => void): Timer {
    this.due = run;
    return { cancel: () => this.due = null };
  }

  pass(): void {
    this.due?.();
    this.due = null;
  }
}

/** A connection whose stream 1 is a request other than CONNECT, which is refused. */
function refused(end: boolean, window?: number): { s: Scripted; clock: OneTimer } {
  const s = new Scripted("server"), clock = new OneTimer();
  if (window !== undefined) s.send(settings(setting(INITIAL_WINDOW_SIZE, window)));
  s.take();
  s.log.answer = ({ stream }) => refuseWithText(clock, stream, "400");
  s.send(s.headers(1, GET, end));
  return { s, clock };
}

Deno.test("refusal: a complete request gets its response, and the stream is closed", () => {
  const { s, clock } = refused(true);
  const frames = s.take();
  assert.deepEqual(frames.map(describe), ["HEADERS 1", `DATA 1 ${LENGTH}+`]);
  assert.match(new TextDecoder().decode(frames[1]!.payload), /^This port speaks HBONE/);
  assert.equal(s.connection.streamCount, 0);
  assert.equal(clock.due, null);
});

Deno.test("refusal: a request that goes on is reset after a second", () => {
  const { s, clock } = refused(false);
  s.send(data(1, [1, 2, 3]));
  assert.deepEqual(s.describeOutput(), ["HEADERS 1", `DATA 1 ${LENGTH}+`]);
  assert.equal(s.connection.streamCount, 1);
  clock.pass();
  assert.deepEqual(s.describeOutput(), ["RST_STREAM 1 0"]);
  assert.equal(s.connection.streamCount, 0);
});

Deno.test("refusal: a request that ends in time needs no reset", () => {
  const { s, clock } = refused(false);
  s.take();
  s.send(data(1, [1, 2, 3], true));
  assert.deepEqual(s.describeOutput(), []);
  assert.equal(s.connection.streamCount, 0);
  assert.equal(clock.due, null);
});

Deno.test("refusal: a request that is reset leaves no timer", () => {
  const { s, clock } = refused(false);
  s.take();
  s.connection.transportEnded("gone");
  assert.equal(clock.due, null);
});

Deno.test("refusal: the text waits for the window, for a second at most", () => {
  const { s, clock } = refused(true, 8);
  assert.deepEqual(s.describeOutput(), ["HEADERS 1", "DATA 1 8"]);
  s.send(windowUpdate(1, 20));
  assert.deepEqual(s.describeOutput(), ["DATA 1 20"]);
  clock.pass();
  assert.deepEqual(s.describeOutput(), ["RST_STREAM 1 8"]);
});

Deno.test("refusal: what the peer sends is bounded by the window and takes no memory", () => {
  const { s, clock } = refused(false);
  s.take();
  s.send(data(1, new Uint8Array(60_000)));
  assert.deepEqual(s.take().filter((f) => f.type === FrameType.WINDOW_UPDATE && f.id === 1), []);
  clock.pass();
  assert.equal(s.connection.streamCount, 0);
});
