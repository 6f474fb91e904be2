/** Attacks of `docs/spec/observed.md`, by their numbers, and known vulnerabilities of HTTP/2. */
import { strict as assert } from "node:assert";
import { FrameType } from "./frame.ts";
import { DEFAULT_LIMITS, STRICT_LIMITS } from "./limits.ts";
import { ErrorCode } from "./seam.ts";
import { assertAlive, CONNECT, LIMIT, OK, Pair, pattern, sendAll } from "./testkit/pair.ts";
import {
  data,
  debugText,
  frame,
  ping,
  rst,
  Scripted,
  setting,
  settings,
  settingsAck,
  windowUpdate,
} from "./testkit/frames.ts";

import { WORK_PER_PASS } from "./work.ts";

/** Sends the frames of `make` until the connection ends. Returns how many were sent, and the text of GOAWAY. */
function flood(s: Scripted, make: (i: number) => Uint8Array[], most = 200_000): { frames: number; debug: string } {
  let frames = 0, debug = "";
  for (let i = 0; frames < most && s.log.end === null; i++) {
    const list = make(i);
    s.send(...list);
    frames += list.length;
    for (const f of s.take()) if (f.type === FrameType.GOAWAY) debug = debugText(f);
  }
  assert.equal(s.log.end?.code, ErrorCode.ENHANCE_YOUR_CALM, `still open after ${frames} frames`);
  assert.equal(s.log.end?.reason, debug);
  return { frames, debug };
}

Deno.test("observed O26: frames of one byte are handed on at once, and no memory is kept for them", () => {
  const s = new Scripted("server");
  s.send(s.headers(1, CONNECT));
  const log = s.log.streams[0]!;
  log.keep = false;
  log.autoRelease = false;
  const frames = 4096, one = data(1, [1]);
  const pass = new Uint8Array(frames * one.length);
  for (let i = 0; i < frames; i++) pass.set(one, i * one.length);
  s.take();
  for (let i = 0; i < 20; i++) {
    s.send(pass);
    log.stream.release(frames);
  }
  assertAlive(s.log);
  assert.equal(log.bytes, 20 * frames);
  assert.equal(log.parts, 20 * frames);
  const passes = 20 * Math.ceil(frames / WORK_PER_PASS);
  assert.equal(log.events.filter((e) => e === "flush").length, passes, "one flush a pass, not one a frame");
  assert.deepEqual(s.describeOutput(), [], "and no window update for so little");
});

Deno.test("observed O26: padding counts against the window, and its credit is returned at once", () => {
  const s = new Scripted("server", { streamWindow: 65_535, connectionWindow: 65_535 });
  s.send(s.headers(1, CONNECT));
  s.take();
  const padded = frame(FrameType.DATA, 8, 1, [255, 1, ...new Array(255).fill(0)]);
  let updates = 0;
  for (let i = 0; i < 2000; i++) {
    s.send(padded);
    s.log.streams[0]!.stream.release(1);
    updates += s.take().filter((f) => f.type === FrameType.WINDOW_UPDATE).length;
  }
  assertAlive(s.log);
  assert.equal(s.log.streams[0]!.bytes, 2000);
  assert.ok(updates < 40, `${updates} updates for 8 windows and two counters`);
});

Deno.test("observed O30: eight streams that are not read do not starve a ninth", () => {
  const pair = new Pair();
  const stuck = Array.from({ length: 8 }, () => pair.open());
  pair.pump();
  for (const log of pair.serverLog.streams) log.autoRelease = false;
  for (const log of stuck) sendAll(log, pattern(6 << 20));
  pair.pump();
  for (const log of pair.serverLog.streams) assert.equal(log.bytes, 4 << 20, "a stream's window and no more");
  const ninth = pair.open();
  pair.pump();
  sendAll(ninth, pattern(20 << 20, 9));
  pair.pump();
  assert.equal(pair.serverLog.streams[8]!.bytes, 20 << 20);
  pair.serverLog.streams[0]!.stream.release(4 << 20);
  pair.pump();
  assert.equal(pair.serverLog.streams[0]!.bytes, 6 << 20);
});

Deno.test("observed O30: above the limit of unreleased bytes the connection's credit is withheld", () => {
  const pair = new Pair({}, { maxUnreleased: 8 << 20, connectionWindow: 4 << 20 });
  const clients = Array.from({ length: 8 }, () => pair.open());
  pair.pump();
  for (const log of pair.serverLog.streams) log.autoRelease = false;
  for (const log of clients) sendAll(log, pattern(4 << 20));
  pair.pump();
  const held = () => pair.serverLog.streams.reduce((sum, log) => sum + log.bytes, 0);
  assert.ok(held() >= 8 << 20 && held() <= 12 << 20, `${held()} bytes held`);
  // Reading returns credit; ended and reset streams do so too.
  const first = pair.serverLog.streams[0]!;
  first.stream.release(first.bytes);
  for (const log of pair.serverLog.streams.slice(1)) log.stream.reset(ErrorCode.CANCEL);
  pair.pump();
  const fresh = pair.open();
  pair.pump();
  sendAll(fresh, pattern(20 << 20));
  pair.pump();
  assert.equal(pair.serverLog.streams.at(-1)!.bytes, 20 << 20);
});

Deno.test("observed O31: a preface, SETTINGS, a HEADERS frame or a header block that is missing or incomplete ends the connection after ten seconds", () => {
  const cases: [string, (s: Scripted) => Uint8Array[]][] = [
    ["no preface and SETTINGS within 10000 ms", () => []],
    ["no preface and SETTINGS within 10000 ms", (s) => [s.start()[0]!]],
    ["unfinished frame within 10000 ms", (s) => [...s.start(), s.headers(1, CONNECT).subarray(0, 12)]],
    ["unfinished frame within 10000 ms", (s) => [...s.start(), s.headers(1, CONNECT).subarray(0, 5)]],
    ["unfinished frame within 10000 ms", (s) => [...s.start(), frame(FrameType.HEADERS, 0, 1, s.block(CONNECT))]],
  ];
  for (const [reason, make] of cases) {
    const s = new Scripted("server", {}, true);
    s.send(...make(s));
    assert.equal(s.connection.nextDeadline(), 11_000);
    s.connection.tick(10_999);
    assertAlive(s.log);
    s.connection.tick(11_000);
    assert.equal(s.log.end?.reason, reason);
  }
});

Deno.test("observed O31: a frame or a header block that arrives byte by byte has the same ten seconds", () => {
  for (const whole of [true, false]) {
    const s = new Scripted("server");
    const block = s.block([...CONNECT, ["x", "y".repeat(1000)]]);
    s.send(whole ? frame(FrameType.HEADERS, 4, 1, block).subarray(0, 20) : frame(FrameType.HEADERS, 0, 1, block));
    for (let i = 0; i < 9; i++) {
      s.now += 1000;
      s.send(whole ? Uint8Array.of(block[11 + i]!) : frame(FrameType.CONTINUATION, 0, 1, []));
      s.connection.tick(s.now);
      assertAlive(s.log);
    }
    assert.equal(s.connection.nextDeadline(), 11_000);
    s.connection.tick(11_000);
    assert.equal(s.log.end?.reason, "unfinished frame within 10000 ms");
  }
});

Deno.test("observed O31: header, payload and CONTINUATION frames of one block have ten seconds together", () => {
  for (const endHeaders of [true, false]) {
    const s = new Scripted("server");
    const block = s.block([...CONNECT, ["x", "y".repeat(1000)]]);
    const bytes = frame(FrameType.HEADERS, endHeaders ? 4 : 0, 1, block);
    const began = s.now;
    // The nine header bytes arrive within nine seconds, then all of the payload or all but its last byte.
    for (let i = 0; i < 9; i++) {
      s.send(bytes.subarray(i, i + 1));
      s.now += 1000;
    }
    s.send(endHeaders ? bytes.subarray(9, -1) : bytes.subarray(9));
    assertAlive(s.log);
    s.connection.tick(began + 10_000);
    assert.equal(s.log.end?.reason, "unfinished frame within 10000 ms");
  }
});

Deno.test("observed O32: changing the initial window all the time ends in ENHANCE_YOUR_CALM", () => {
  const s = new Scripted("server");
  for (let id = 1; id < 400; id += 2) s.send(s.headers(id, CONNECT));
  const { frames, debug } = flood(s, (i) => [settings(setting(4, i % 2 === 0 ? 0 : 1 << 20))]);
  assert.equal(debug, "SETTINGS frames above 100 at once or 10 per second");
  assert.ok(frames <= 101);
});

Deno.test("observed O32, rapid reset (CVE-2023-44487): requests that are reset before their response end the connection", () => {
  const s = new Scripted("server");
  s.log.answer = () => {};
  const { debug } = flood(s, (i) => [s.headers(2 * i + 1, CONNECT), rst(2 * i + 1)]);
  assert.equal(debug, "resets without an answer above 400 at once or 500 per second");
  assert.ok(s.log.requests.length <= 401);
});

Deno.test("observed O32: 400 early resets a second are allowed", () => {
  const s = new Scripted("server");
  s.log.answer = () => {};
  // For two minutes, 400 requests a second are cancelled before they are answered.
  for (let i = 0; i < 48_000; i++) {
    s.now = 1000 + i * 2.5;
    s.send(s.headers(2 * i + 1, CONNECT), rst(2 * i + 1));
  }
  assertAlive(s.log);
});

Deno.test("a busy connection may reset thousands of answered streams a second", () => {
  const s = new Scripted("server");
  for (let i = 0; i < 40_000; i++) {
    s.now = 1000 + i / 4;
    s.send(s.headers(2 * i + 1, CONNECT), rst(2 * i + 1));
    s.take();
  }
  assertAlive(s.log);
});

Deno.test("a stream that both sides have ended may be reset once without cost", () => {
  const s = new Scripted("server");
  s.log.answer = ({ stream }) => stream.respond(OK, true);
  // 4,000 a second, for ten seconds.
  for (let i = 0; i < 40_000; i++) {
    s.now = 1000 + i / 4;
    s.send(s.headers(2 * i + 1, CONNECT, true), rst(2 * i + 1));
    s.take();
  }
  assertAlive(s.log);
  assert.equal(flood(s, () => [rst(79_999)]).debug, "resets without an answer above 400 at once or 500 per second");
});

Deno.test("a peer that broke a limit gets smaller bursts, and the same rate per second as others", () => {
  const s = new Scripted("server", { limits: STRICT_LIMITS });
  s.log.answer = () => {};
  for (let i = 0; i < 4000; i++) {
    s.now = 1000 + i * 2.5;
    s.send(s.headers(2 * i + 1, CONNECT), rst(2 * i + 1));
  }
  assertAlive(s.log);
  const { debug } = flood(s, (i) => [s.headers(10_001 + 2 * i, CONNECT), rst(10_001 + 2 * i)]);
  assert.equal(debug, "resets without an answer above 50 at once or 500 per second");
});

Deno.test("made you reset (CVE-2025-8671): resets that the peer provokes cost it the same", () => {
  const s = new Scripted("server");
  const { debug } = flood(s, (i) => [s.headers(2 * i + 1, CONNECT), windowUpdate(2 * i + 1, 0)]);
  assert.equal(debug, "resets without an answer above 400 at once or 500 per second");
});

Deno.test("requests with too many fields cost the same as resets", () => {
  const s = new Scripted("server");
  const fields = [...CONNECT, ...new Array(300).fill(["cookie", "a"] as const)];
  const { debug } = flood(s, (i) => [s.headers(2 * i + 1, fields)]);
  assert.equal(debug, "resets without an answer above 400 at once or 500 per second");
  assert.equal(s.log.requests.length, 0);
});

Deno.test("streams above the limit are refused, and many of them end the connection", () => {
  const s = new Scripted("server", { maxConcurrentStreams: 2 });
  const { debug } = flood(s, (i) => [s.headers(2 * i + 1, CONNECT)]);
  assert.equal(debug, "resets without an answer above 400 at once or 500 per second");
  assert.equal(s.log.requests.length, 2);
});

Deno.test("observed O32: header blocks that decode to very large lists end the connection or their stream", () => {
  const crumbs = new Scripted("server");
  const cookies = (count: number) => [...CONNECT, ...new Array(count).fill(["cookie", "a"] as const)];
  crumbs.send(crumbs.headers(1, cookies(1000)));
  assert.ok(crumbs.describeOutput().some((line) => line.startsWith("HEADERS 1")), "431");
  assertAlive(crumbs.log);
  crumbs.send(crumbs.headers(3, cookies(1030)));
  assert.equal(crumbs.log.end?.code, ErrorCode.ENHANCE_YOUR_CALM);
  const bomb = new Scripted("server");
  bomb.send(bomb.headers(1, [...CONNECT, ["x", "y".repeat(2000)]]));
  // The same large field, 250 times by its index of one byte: half a megabyte of headers out of a small frame.
  bomb.send(frame(FrameType.HEADERS, 4, 3, [...bomb.block(CONNECT), ...new Array(250).fill(0xbe)]));
  assert.notEqual(bomb.log.end ?? bomb.describeOutput().find((line) => line.startsWith("RST_STREAM 3")), undefined);
  assert.equal(bomb.log.requests.length, 1);
});

const FLOODS: [name: string, budget: string, make: (i: number) => Uint8Array[]][] = [
  ["empty DATA", "empty DATA frames above 1000 at once or 100 per second", () => [data(1, [])]],
  [
    "DATA of padding only",
    "empty DATA frames above 1000 at once or 100 per second",
    () => [frame(0, 8, 1, [3, 0, 0, 0])],
  ],
  ["PING", "PING frames above 200 at once or 20 per second", () => [ping()]],
  ["PING ACK that belongs to no frame of ours", "PING frames above 200 at once or 20 per second", () => [ping(true)]],
  ["SETTINGS", "SETTINGS frames above 100 at once or 10 per second", () => [settings()]],
  [
    "SETTINGS ACK that belongs to no frame of ours",
    "SETTINGS frames above 100 at once or 10 per second",
    () => [settingsAck()],
  ],
  ["WINDOW_UPDATE", "WINDOW_UPDATE frames above 10000 at once or 1000 per second", () => [windowUpdate(1, 1)]],
  [
    "WINDOW_UPDATE on stream 0",
    "WINDOW_UPDATE frames above 10000 at once or 1000 per second",
    () => [windowUpdate(0, 1)],
  ],
  ["PRIORITY", "other control frames above 2000 at once or 200 per second", () => [frame(2, 0, 3, [0, 0, 0, 1, 1])]],
  ["unknown frames", "other control frames above 2000 at once or 200 per second", () => [frame(0x99, 0, 0, [1])]],
  ["RST_STREAM on one closed stream", "resets without an answer above 400 at once or 500 per second", () => [rst(1)]],
];
for (const [name, budget, make] of FLOODS) {
  Deno.test(`observed O33: a flood of ${name} breaches its budget`, () => {
    const s = new Scripted("server");
    s.send(s.headers(1, CONNECT));
    assert.equal(flood(s, make).debug, budget);
    assert.equal(s.connection.streamCount, 0);
  });
}

Deno.test("observed O33: 16,000 table size updates in one block end the connection", () => {
  const s = new Scripted("server");
  s.send(frame(FrameType.HEADERS, 4, 1, [...new Array(16_000).fill(0x20), ...s.block(CONNECT)]));
  assert.equal(s.log.end?.code, ErrorCode.ENHANCE_YOUR_CALM);
});

Deno.test("control frames that the peer does not read end the connection", () => {
  const limits = { ...DEFAULT_LIMITS, pings: { burst: 1e9, perSecond: 0 } };
  const s = new Scripted("server", { limits });
  s.sink.blocked = true;
  let sent = 0;
  for (; sent < 10_000 && s.log.end === null; sent++) s.send(ping());
  assert.equal(s.log.end?.reason, "more than 65536 bytes of control frames that the peer does not read");
  assert.ok(sent * 17 < 65_536 + 2 * 17);
  s.sink.blocked = false;
  assert.equal(s.describeOutput().at(-1), "GOAWAY 0 11", "and GOAWAY is still sent");
});

Deno.test("observed O36: a malformed request ends its stream and no other", () => {
  for (const field of [["Upper", "x"], ["x", "a\0b"], ["x", "a\nb"], ["connection", "close"]] as const) {
    const s = new Scripted("server");
    s.send(s.headers(1, CONNECT), s.headers(3, [...CONNECT, field]), s.headers(5, CONNECT), data(1, [1]));
    assert.deepEqual(s.describeOutput().filter((line) => line.startsWith("RST")), ["RST_STREAM 3 1"]);
    assertAlive(s.log);
    assert.equal(s.log.requests.length, 2);
    assert.equal(s.log.streams[0]!.bytes, 1);
  }
});

Deno.test("DATA in flight for a stream that we reset is dropped, within the window it had", () => {
  const s = new Scripted("server", { streamWindow: 65_535, connectionWindow: 100_000 });
  s.send(s.headers(1, CONNECT));
  s.log.streams[0]!.stream.reset(ErrorCode.CANCEL);
  s.take();
  for (let i = 0; i < 655; i++) s.send(data(1, new Array(100).fill(1)));
  assert.deepEqual(s.describeOutput(), ["WINDOW_UPDATE 0 50000"], "the connection's credit is not lost");
  s.send(data(1, new Array(35).fill(1)));
  assertAlive(s.log);
  s.send(data(1, [1]));
  assert.equal(s.log.end?.code, ErrorCode.FLOW_CONTROL_ERROR);
});

Deno.test("honest bulk with a small window stays within the budget of window updates", () => {
  const pair = new Pair({ streamWindow: 4096, connectionWindow: 65_535 });
  const log = pair.open();
  pair.pump();
  log.keep = false;
  sendAll(pair.serverLog.streams[0]!, pattern(64 << 20), true, LIMIT);
  pair.pump();
  assert.equal(log.bytes, 64 << 20);
  assertAlive(pair.serverLog);
  assert.deepEqual(log.headers, OK);
});
