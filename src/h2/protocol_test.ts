/** What RFC 9113 forbids, by type of frame; each case has the frames that must be sent in response. */
import { strict as assert } from "node:assert";
import { FrameType, PREFACE } from "./frame.ts";
import { ErrorCode, type H2Options } from "./seam.ts";
import {
  data,
  debugText,
  frame,
  GET,
  goAway,
  ping,
  rst,
  Scripted,
  setting,
  settings,
  settingsAck,
  windowUpdate,
  word,
} from "./testkit/frames.ts";
import { CONNECT } from "./testkit/pair.ts";

const { NO_ERROR, PROTOCOL_ERROR, FLOW_CONTROL_ERROR, STREAM_CLOSED, FRAME_SIZE_ERROR, REFUSED_STREAM } = ErrorCode;
const { COMPRESSION_ERROR, ENHANCE_YOUR_CALM } = ErrorCode;
const { HEADERS, PRIORITY, CONTINUATION, SETTINGS, PING, GOAWAY, PUSH_PROMISE, RST_STREAM } = FrameType;

interface Case {
  name: string;
  /** Frames after the prefaces. The peer's side of stream 1 is open, unless `noStream` is set. */
  send: (s: Scripted) => Uint8Array[];
  /** The frames that are sent in response, or the error that ends the connection. */
  goAway?: ErrorCode;
  reset?: [id: number, code: ErrorCode];
  fine?: true;
  noStream?: true;
  options?: Partial<H2Options>;
}

/** The response of a server. */
const SERVER: Case[] = [
  { name: "DATA on stream 0", send: () => [data(0, [1])], goAway: PROTOCOL_ERROR },
  { name: "DATA on an idle stream", send: () => [data(3, [1])], goAway: PROTOCOL_ERROR },
  { name: "DATA on an even stream", send: () => [data(2, [1])], goAway: PROTOCOL_ERROR },
  { name: "DATA with padding as long as the frame", send: () => [frame(0, 8, 1, [2, 0])], goAway: PROTOCOL_ERROR },
  { name: "padded DATA of length 0", send: () => [frame(0, 8, 1, [])], goAway: FRAME_SIZE_ERROR },
  { name: "padded DATA", send: () => [frame(0, 8, 1, [2, 9, 0, 0])], fine: true },
  { name: "DATA after END_STREAM", send: () => [data(1, [1], true), data(1, [2])], reset: [1, STREAM_CLOSED] },
  {
    name: "HEADERS after END_STREAM",
    send: (s) => [data(1, [], true), s.headers(1, [], true)],
    reset: [1, STREAM_CLOSED],
  },
  { name: "HEADERS on stream 0", send: (s) => [s.headers(0, CONNECT)], goAway: PROTOCOL_ERROR },
  { name: "HEADERS on an even stream", send: (s) => [s.headers(2, CONNECT)], goAway: PROTOCOL_ERROR },
  {
    name: "HEADERS on a smaller id",
    send: (s) => [s.headers(5, CONNECT), s.headers(3, CONNECT)],
    goAway: PROTOCOL_ERROR,
  },
  {
    name: "HEADERS shorter than their padding",
    send: () => [frame(HEADERS, 4 | 8, 3, [3, 0, 0])],
    goAway: PROTOCOL_ERROR,
  },
  {
    name: "HEADERS too short for PRIORITY",
    send: () => [frame(HEADERS, 4 | 0x20, 3, [0, 0])],
    goAway: FRAME_SIZE_ERROR,
  },
  {
    name: "HEADERS with garbage",
    send: () => [frame(HEADERS, 4, 3, [0xff, 0xff, 0xff, 0xff, 0xff])],
    goAway: COMPRESSION_ERROR,
  },
  {
    name: "HEADERS depending on themselves",
    send: (s) => [frame(HEADERS, 4 | 0x20, 3, [...word(3), 0, ...s.block(CONNECT)])],
    reset: [3, PROTOCOL_ERROR],
  },
  {
    name: "HEADERS with priority",
    send: (s) => [frame(HEADERS, 4 | 0x20, 3, [...word(1), 0, ...s.block(CONNECT)])],
    fine: true,
  },
  { name: "second HEADERS without END_STREAM", send: (s) => [s.headers(1, [["a", "b"]])], reset: [1, PROTOCOL_ERROR] },
  { name: "trailers", send: (s) => [s.headers(1, [["a", "b"]], true)], fine: true },
  {
    name: "trailers with a pseudo header",
    send: (s) => [s.headers(1, [[":path", "/"]], true)],
    reset: [1, PROTOCOL_ERROR],
  },
  {
    name: "trailers with an upper-case name",
    send: (s) => [s.headers(1, [["A", "b"]], true)],
    reset: [1, PROTOCOL_ERROR],
  },
  { name: "request without :path", send: (s) => [s.headers(3, GET.slice(0, 2))], reset: [3, PROTOCOL_ERROR] },
  {
    name: "body longer than content-length",
    send: (s) => [s.headers(3, [...GET, ["content-length", "1"]]), data(3, [1, 2])],
    reset: [3, PROTOCOL_ERROR],
  },
  {
    name: "body shorter than content-length",
    send: (s) => [s.headers(3, [...GET, ["content-length", "3"]]), data(3, [1, 2], true)],
    reset: [3, PROTOCOL_ERROR],
  },
  {
    name: "no body, content-length 1",
    send: (s) => [s.headers(3, [...GET, ["content-length", "1"]], true)],
    reset: [3, PROTOCOL_ERROR],
  },
  {
    name: "trailers instead of a body",
    send: (s) => [s.headers(3, [...GET, ["content-length", "1"]]), s.headers(3, [["a", "b"]], true)],
    reset: [3, PROTOCOL_ERROR],
  },
  {
    name: "body as content-length says",
    send: (s) => [s.headers(3, [...GET, ["content-length", "2"]]), data(3, [1, 2], true)],
    fine: true,
  },
  {
    name: "content-length that is no number, with CONNECT",
    send: (s) => [s.headers(3, [...CONNECT, ["content-length", "x"]])],
    reset: [3, PROTOCOL_ERROR],
  },
  {
    name: "content-length that is no number",
    send: (s) => [s.headers(3, [...GET, ["content-length", "x"]])],
    reset: [3, PROTOCOL_ERROR],
  },
  {
    name: "connection-specific header",
    send: (s) => [s.headers(3, [...GET, ["connection", "close"]])],
    reset: [3, PROTOCOL_ERROR],
  },
  { name: "te: trailers", send: (s) => [s.headers(3, [...GET, ["te", "trailers"]])], fine: true },
  { name: "te: gzip", send: (s) => [s.headers(3, [...GET, ["te", "gzip"]])], reset: [3, PROTOCOL_ERROR] },
  {
    name: "one stream too many",
    send: (s) => [s.headers(3, CONNECT)],
    options: { maxConcurrentStreams: 1 },
    reset: [3, REFUSED_STREAM],
  },
  {
    name: "a stream after another one ended",
    send: (s) => [rst(1), s.headers(3, CONNECT)],
    options: { maxConcurrentStreams: 1 },
    fine: true,
  },
  {
    name: "header list above our limit is answered with 431",
    send: (s) => [s.headers(3, [...CONNECT, ["x", "y".repeat(200)]])],
    options: { maxHeaderListSize: 250 },
    reset: [3, NO_ERROR],
  },
  {
    name: "header block above our limit",
    send: () => [frame(HEADERS, 4, 3, new Array(65_537).fill(0))],
    goAway: ENHANCE_YOUR_CALM,
  },
  { name: "CONTINUATION alone", send: () => [frame(CONTINUATION, 4, 1, [])], goAway: PROTOCOL_ERROR },
  { name: "CONTINUATION on stream 0", send: () => [frame(CONTINUATION, 4, 0, [])], goAway: PROTOCOL_ERROR },
  {
    name: "CONTINUATION of another stream",
    send: () => [frame(HEADERS, 0, 3, []), frame(CONTINUATION, 4, 5, [])],
    goAway: PROTOCOL_ERROR,
  },
  {
    name: "CONTINUATION after END_HEADERS",
    send: (s) => [s.headers(3, CONNECT), frame(CONTINUATION, 4, 3, [])],
    goAway: PROTOCOL_ERROR,
  },
  { name: "DATA inside a header block", send: () => [frame(HEADERS, 0, 3, []), data(1, [1])], goAway: PROTOCOL_ERROR },
  {
    name: "unknown frame inside a header block",
    send: () => [frame(HEADERS, 0, 3, []), frame(0x16, 0, 0, [])],
    goAway: PROTOCOL_ERROR,
  },
  {
    name: "CONTINUATION frames",
    send: (s) => {
      const b = s.block(CONNECT);
      return [
        frame(HEADERS, 0, 3, b.subarray(0, 5)),
        frame(CONTINUATION, 0, 3, b.subarray(5, 6)),
        frame(CONTINUATION, 4, 3, b.subarray(6)),
      ];
    },
    fine: true,
  },
  {
    name: "too many CONTINUATION frames",
    send: () => [frame(HEADERS, 0, 3, []), ...new Array(17).fill(frame(CONTINUATION, 0, 3, []))],
    goAway: ENHANCE_YOUR_CALM,
  },
  {
    name: "CONTINUATION frames above the block limit",
    send: () => [frame(HEADERS, 0, 3, new Array(65_530).fill(0)), frame(CONTINUATION, 0, 3, [1, 2, 3, 4, 5, 6, 7])],
    goAway: ENHANCE_YOUR_CALM,
  },
  { name: "PRIORITY", send: () => [frame(PRIORITY, 0, 7, [...word(1), 3])], fine: true },
  { name: "PRIORITY on stream 0", send: () => [frame(PRIORITY, 0, 0, [...word(1), 3])], goAway: PROTOCOL_ERROR },
  { name: "PRIORITY of four bytes", send: () => [frame(PRIORITY, 0, 1, word(3))], reset: [1, FRAME_SIZE_ERROR] },
  {
    name: "PRIORITY depending on itself",
    send: () => [frame(PRIORITY, 0, 1, [...word(1), 3])],
    reset: [1, PROTOCOL_ERROR],
  },
  { name: "RST_STREAM on stream 0", send: () => [rst(0)], goAway: PROTOCOL_ERROR },
  { name: "RST_STREAM on an idle stream", send: () => [rst(3)], goAway: PROTOCOL_ERROR },
  {
    name: "RST_STREAM of five bytes",
    send: () => [frame(RST_STREAM, 0, 1, [0, 0, 0, 8, 0])],
    goAway: FRAME_SIZE_ERROR,
  },
  { name: "RST_STREAM twice", send: () => [rst(1), rst(1)], fine: true },
  { name: "DATA after RST_STREAM", send: () => [rst(1), data(1, [1])], reset: [1, STREAM_CLOSED] },
  {
    name: "HEADERS after RST_STREAM",
    send: (s) => [rst(1), s.headers(1, [["a", "b"]], true)],
    reset: [1, STREAM_CLOSED],
  },
  { name: "SETTINGS on a stream", send: () => [frame(SETTINGS, 0, 1, [])], goAway: PROTOCOL_ERROR },
  {
    name: "SETTINGS of seven bytes",
    send: () => [frame(SETTINGS, 0, 0, new Array(7).fill(0))],
    goAway: FRAME_SIZE_ERROR,
  },
  { name: "SETTINGS ACK with a payload", send: () => [frame(SETTINGS, 1, 0, setting(4, 5))], goAway: FRAME_SIZE_ERROR },
  { name: "SETTINGS with a window of 2^31", send: () => [settings(setting(4, 2 ** 31))], goAway: FLOW_CONTROL_ERROR },
  { name: "SETTINGS with a frame size of 1", send: () => [settings(setting(5, 1))], goAway: PROTOCOL_ERROR },
  {
    name: "SETTINGS that lift a window above 2^31-1",
    send: () => [windowUpdate(1, 2 ** 31 - 1 - 65_535), settings(setting(4, 65_536))],
    goAway: FLOW_CONTROL_ERROR,
  },
  {
    name: "65 parameters in SETTINGS",
    send: () => [settings(...new Array(65).fill(setting(99, 1)))],
    goAway: ENHANCE_YOUR_CALM,
  },
  { name: "PING on a stream", send: () => [frame(PING, 0, 1, new Array(8).fill(0))], goAway: PROTOCOL_ERROR },
  { name: "PING of seven bytes", send: () => [frame(PING, 0, 0, new Array(7).fill(0))], goAway: FRAME_SIZE_ERROR },
  { name: "PING ACK that belongs to no frame of ours", send: () => [ping(true)], fine: true },
  { name: "GOAWAY on a stream", send: () => [frame(GOAWAY, 0, 1, new Array(8).fill(0))], goAway: PROTOCOL_ERROR },
  { name: "GOAWAY of seven bytes", send: () => [frame(GOAWAY, 0, 0, new Array(7).fill(0))], goAway: FRAME_SIZE_ERROR },
  { name: "GOAWAY with a growing last stream", send: () => [goAway(1), goAway(3)], goAway: PROTOCOL_ERROR },
  { name: "requests after the client's own GOAWAY", send: (s) => [goAway(0), s.headers(3, CONNECT)], fine: true },
  { name: "WINDOW_UPDATE of 0", send: () => [windowUpdate(0, 0)], goAway: PROTOCOL_ERROR },
  { name: "WINDOW_UPDATE of 0 on a stream", send: () => [windowUpdate(1, 0)], reset: [1, PROTOCOL_ERROR] },
  { name: "WINDOW_UPDATE above 2^31-1", send: () => [windowUpdate(0, 2 ** 31 - 1)], goAway: FLOW_CONTROL_ERROR },
  {
    name: "WINDOW_UPDATE above 2^31-1 on a stream",
    send: () => [windowUpdate(1, 2 ** 31 - 1)],
    reset: [1, FLOW_CONTROL_ERROR],
  },
  { name: "WINDOW_UPDATE of three bytes", send: () => [frame(8, 0, 1, [0, 0, 1])], goAway: FRAME_SIZE_ERROR },
  { name: "WINDOW_UPDATE on an idle stream", send: () => [windowUpdate(3, 1)], goAway: PROTOCOL_ERROR },
  { name: "WINDOW_UPDATE on a closed stream", send: () => [rst(1), windowUpdate(1, 1)], fine: true },
  { name: "PUSH_PROMISE", send: () => [frame(PUSH_PROMISE, 4, 1, word(2))], goAway: PROTOCOL_ERROR },
  { name: "unknown frame type", send: () => [frame(0x42, 0xff, 9, new Array(100).fill(1))], fine: true },
  {
    name: "frame above our limit",
    send: () => [frame(0x42, 0, 0, new Array(20_001).fill(1))],
    options: { maxFrameSize: 20_000 },
    goAway: FRAME_SIZE_ERROR,
  },
  {
    name: "DATA beyond the stream window",
    send: () => [data(1, new Array(65_536).fill(1))],
    options: { streamWindow: 65_535 },
    reset: [1, FLOW_CONTROL_ERROR],
  },
  {
    name: "DATA beyond the connection window",
    send: () => [data(1, new Array(65_536).fill(1))],
    options: { connectionWindow: 65_535 },
    goAway: FLOW_CONTROL_ERROR,
  },
  {
    name: "padding counts against the stream window",
    send: () => [frame(0, 8, 1, [200, ...new Array(65_400).fill(1)])],
    options: { streamWindow: 65_000 },
    reset: [1, FLOW_CONTROL_ERROR],
  },
];

for (const c of SERVER) {
  Deno.test(`server: ${c.name}`, () => {
    const s = new Scripted("server", c.options);
    s.log.answer = () => {};
    s.send(s.headers(1, CONNECT));
    s.take();
    s.send(...c.send(s));
    check(c, s);
  });
}

function check(c: Case, s: Scripted): void {
  const out = s.describeOutput(), end = s.log.end;
  if (c.goAway !== undefined) {
    assert.match(out.at(-1) ?? "nothing", new RegExp(`^GOAWAY \\d+ ${c.goAway}$`));
    assert.equal(end?.code, c.goAway);
    assert.equal(end?.by, "us");
    assert.equal(s.connection.streamCount, 0);
    assert.ok(s.log.streams.every((log) => log.failure !== null || log.stream.closed));
    return;
  }
  assert.equal(end?.reason, undefined);
  assert.deepEqual(out.filter((line) => line.startsWith("RST")), c.reset ? [`RST_STREAM ${c.reset.join(" ")}`] : []);
  // The connection goes on.
  s.send(ping());
  assert.ok(s.describeOutput().includes("PING ACK"));
}

const CLIENT: Case[] = [
  { name: "HEADERS on an idle stream", send: (s) => [s.headers(3, [[":status", "200"]])], goAway: PROTOCOL_ERROR },
  { name: "HEADERS on an even stream", send: (s) => [s.headers(2, [[":status", "200"]])], goAway: PROTOCOL_ERROR },
  { name: "PUSH_PROMISE", send: () => [frame(PUSH_PROMISE, 4, 1, word(2))], goAway: PROTOCOL_ERROR },
  { name: "SETTINGS with ENABLE_PUSH 1", send: () => [settings(setting(2, 1))], goAway: PROTOCOL_ERROR },
  { name: "DATA before HEADERS", send: () => [data(1, [1])], reset: [1, PROTOCOL_ERROR] },
  { name: "DATA on an idle stream", send: () => [data(3, [1])], goAway: PROTOCOL_ERROR },
  { name: "response without :status", send: (s) => [s.headers(1, [["a", "b"]])], reset: [1, PROTOCOL_ERROR] },
  {
    name: "interim response",
    send: (s) => [s.headers(1, [[":status", "103"]]), s.headers(1, [[":status", "200"]])],
    fine: true,
  },
  {
    name: "interim response with END_STREAM",
    send: (s) => [s.headers(1, [[":status", "103"]], true)],
    reset: [1, PROTOCOL_ERROR],
  },
  { name: "101", send: (s) => [s.headers(1, [[":status", "101"]])], reset: [1, PROTOCOL_ERROR] },
  {
    name: "two final responses",
    send: (s) => [s.headers(1, [[":status", "200"]]), s.headers(1, [[":status", "200"]])],
    reset: [1, PROTOCOL_ERROR],
  },
  {
    name: "DATA on the stream after END_STREAM",
    send: (s) => [s.headers(1, [[":status", "200"]], true), data(1, [1])],
    reset: [1, STREAM_CLOSED],
  },
];
for (const c of CLIENT) {
  Deno.test(`client: ${c.name}`, () => {
    const s = new Scripted("client", c.options);
    s.connection.open(
      CONNECT,
      new (class {
        onResponse() {}
        onData() {}
        onEnd() {}
        onFlush() {}
        onSendReady() {}
        onReset() {}
      })(),
    );
    s.take();
    s.send(...c.send(s));
    check(c, s);
  });
}

const FIRST: [name: string, role: "client" | "server", bytes: Uint8Array[], code: ErrorCode | null][] = [
  ["HTTP/1.1", "server", [new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n")], PROTOCOL_ERROR],
  ["a preface with one wrong byte at its end", "server", [PREFACE.slice(0, 23), Uint8Array.of(0)], PROTOCOL_ERROR],
  ["a preface and PING", "server", [PREFACE, ping()], PROTOCOL_ERROR],
  ["a preface and SETTINGS ACK", "server", [PREFACE, settingsAck()], PROTOCOL_ERROR],
  ["a preface and SETTINGS", "server", [PREFACE, settings()], null],
  ["PING", "client", [ping()], PROTOCOL_ERROR],
  ["SETTINGS", "client", [settings()], null],
  ["GOAWAY", "client", [goAway(0)], PROTOCOL_ERROR],
];
for (const [name, role, bytes, code] of FIRST) {
  Deno.test(`${role}: the peer begins with ${name}`, () => {
    const s = new Scripted(role, {}, true);
    s.send(...bytes);
    assert.equal(s.log.end?.code ?? null, code);
  });
}

Deno.test("a connection error is named in GOAWAY, and every stream is notified once", () => {
  const s = new Scripted("server");
  s.send(s.headers(1, CONNECT), s.headers(3, CONNECT), data(1, [1, 2]));
  s.take();
  s.send(data(1, [3]), data(0, [1]), data(3, [1]));
  const last = s.take().at(-1)!;
  assert.equal(debugText(last), "DATA on stream 0");
  const [one, three] = s.log.streams;
  assert.deepEqual(one!.events, ["data", "flush", "data", "flush", "reset us 1"], "what came before is handed on");
  assert.deepEqual(three!.events, ["reset us 1"]);
  assert.equal(s.log.end?.reason, "DATA on stream 0");
  s.send(ping());
  assert.deepEqual(s.describeOutput(), [], "nothing is read after the end");
});
