/** Keepalive, draining, the end of connections, and what handlers may do from inside their calls. */
import { strict as assert } from "node:assert";
import { MAX_STREAM_ID } from "./frame.ts";
import { ErrorCode, type HeaderList } from "./seam.ts";
import { assertAlive, CONNECT, EndpointLog, OK, Pair, pattern, sendAll, StreamLog } from "./testkit/pair.ts";
import { data, goAway, ping, rst, Scripted, setting, settings, windowUpdate } from "./testkit/frames.ts";

Deno.test("dataplane 2.3: a PING is sent after 10 s, the next one 10 s after its ACK", () => {
  const pair = new Pair();
  pair.pump();
  const { client } = pair;
  assert.equal(client.nextDeadline(), 11_000);
  client.tick(10_999);
  assert.equal(pair.pump(), 0);
  client.tick(pair.now = 11_000);
  assert.equal(client.nextDeadline(), 46_000);
  pair.now = 12_000;
  assert.equal(pair.pump(), 34);
  assert.equal(client.nextDeadline(), 22_000);
});

Deno.test("dataplane 2.3: the connection ends after 35 s without an ACK", () => {
  for (const role of ["client", "server"] as const) {
    const s = new Scripted(role);
    s.connection.tick(11_000);
    assert.deepEqual(s.describeOutput(), ["PING"]);
    s.connection.tick(45_999);
    assertAlive(s.log);
    s.connection.tick(46_000);
    assert.deepEqual(s.log.end, { by: "us", code: ErrorCode.NO_ERROR, reason: "ping timeout after 35000 ms" });
    assert.equal(s.connection.nextDeadline(), null);
  }
});

Deno.test("dataplane 2.3: any received bytes keep the connection alive, before and after a PING", () => {
  for (const role of ["client", "server"] as const) {
    const s = new Scripted(role);
    s.now = 9000;
    s.send(windowUpdate(0, 1));
    assert.equal(s.connection.nextDeadline(), 19_000);
    s.connection.tick(11_000);
    assert.deepEqual(s.describeOutput(), [], "bytes were received within the interval");
    s.connection.tick(19_000);
    assert.deepEqual(s.describeOutput(), ["PING"]);
    s.now = 30_000;
    s.send(ping(true)); // an ACK of no PING of ours
    s.connection.tick(39_000);
    assertAlive(s.log);
    assert.equal(s.connection.nextDeadline(), 40_000);
  }
});

Deno.test("ping() sends a PING at once, no second one before its ACK, and does not end the connection earlier", () => {
  const s = new Scripted("client");
  const end = s.now + 10_000 + 35_000;
  s.connection.ping(2000);
  s.connection.ping(2001);
  assert.deepEqual(s.describeOutput(), ["PING"]);
  assert.equal(s.connection.nextDeadline(), end);
});

Deno.test("a draining server serves streams until the final GOAWAY, and ignores later ones", () => {
  const s = new Scripted("server");
  s.log.answer = () => {};
  s.send(s.headers(1, CONNECT));
  s.connection.drain(s.now);
  s.connection.drain(s.now);
  assert.equal(s.connection.draining, true);
  const out = s.take();
  assert.deepEqual(out.map((f) => f.type), [7, 6]);
  s.send(s.headers(3, CONNECT));
  s.send(ping(true, 0));
  assert.deepEqual(s.describeOutput(), [], "the answer to another PING");
  out[1]!.flags = 1;
  s.connection.receive(Uint8Array.from([0, 0, 8, 6, 1, 0, 0, 0, 0, ...out[1]!.payload]), 0, 17, s.now);
  assert.deepEqual(s.describeOutput(), ["GOAWAY 3 0"]);
  s.send(s.headers(5, CONNECT), data(5, [1]), windowUpdate(5, 1), rst(5), s.headers(7, CONNECT, true));
  assert.equal(s.log.requests.length, 2);
  assertAlive(s.log);
  s.send(rst(1), rst(3));
  assert.deepEqual(s.log.end, { by: "us", code: ErrorCode.NO_ERROR, reason: "drained" });
});

Deno.test("a draining server waits for the ACK of its PING for 20 s", () => {
  const s = new Scripted("server", { pingInterval: 1e9 });
  s.send(s.headers(1, CONNECT));
  s.connection.drain(s.now);
  assert.equal(s.connection.nextDeadline(), 21_000);
  s.take();
  s.connection.tick(21_000);
  assert.deepEqual(s.describeOutput(), ["GOAWAY 1 0"]);
  assertAlive(s.log);
});

Deno.test("a drain that waits for a stream of ours ends when its last frame was flushed", () => {
  const pair = new Pair();
  const client = pair.open();
  pair.pump();
  pair.client.drain(pair.now);
  assert.equal(pair.client.open(CONNECT, new StreamLog()), null);
  pair.serverLog.streams[0]!.stream.end();
  pair.pump();
  assertAlive(pair.clientLog);
  client.stream.end();
  assertAlive(pair.clientLog);
  pair.pump();
  assert.equal(pair.clientLog.end?.reason, "drained");
  assert.deepEqual(pair.serverLog.streams[0]!.events, ["end", "flush"]);
});

Deno.test("GOAWAY of the server: streams above its last one are refused, the others go on", () => {
  const s = new Scripted("client");
  const logs = [1, 3, 5].map(() => {
    const log = new StreamLog();
    log.stream = s.connection.open(CONNECT, log)!;
    return log;
  });
  s.send(goAway(3, ErrorCode.ENHANCE_YOUR_CALM, "too_many_pings"));
  assert.deepEqual(s.log.events.slice(1), ["goaway 3 11"]);
  assert.deepEqual(logs.map((log) => log.failure?.code), [undefined, undefined, ErrorCode.REFUSED_STREAM]);
  assert.equal(s.connection.canOpen, false);
  s.send(s.headers(1, OK, false), rst(3));
  s.take();
  logs[0]!.stream.reset(ErrorCode.CANCEL);
  assert.deepEqual(s.describeOutput(), ["RST_STREAM 1 8", "GOAWAY 0 0"]);
  assert.equal(
    s.log.end?.reason,
    'detected excessive load generating behavior: "too_many_pings"',
  );
});

Deno.test("the end of the transport resets every stream and is reported once", () => {
  const pair = new Pair();
  const log = pair.open();
  pair.pump();
  sendAll(log, pattern(1000), false);
  pair.client.transportEnded("Connection reset by peer (os error 104)");
  pair.client.transportEnded("closed");
  const expected = {
    by: "transport",
    code: ErrorCode.INTERNAL_ERROR,
    reason: "Connection reset by peer (os error 104)",
  };
  assert.deepEqual(log.failure, expected);
  assert.deepEqual(pair.clientLog.end, expected);
  assert.deepEqual([pair.client.ended, pair.client.draining, pair.client.canOpen], [true, true, false]);
  assert.equal(pair.pump(), 0);
  log.stream.reset(ErrorCode.CANCEL);
  log.stream.release(5);
  log.stream.end();
  assert.equal(log.stream.reserve(5, 1000), null);
  assert.equal(pair.client.streamCount, 0);
});

Deno.test("canOpen follows the peer's limit, and is false when no ids are left", () => {
  const s = new Scripted("client", {}, true);
  let opened = 0;
  while (s.connection.open(CONNECT, new StreamLog())) opened++;
  assert.equal(opened, 100, "before SETTINGS");
  s.send(settings(setting(3, 102)));
  assert.notEqual(s.connection.open(CONNECT, new StreamLog()), null);
  assert.notEqual(s.connection.open(CONNECT, new StreamLog()), null);
  assert.equal(s.connection.open(CONNECT, new StreamLog()), null);
  s.send(settings(setting(3, 50)));
  assert.equal(s.connection.canOpen, false);
  s.send(settings(setting(3, 1000)));
  assert.equal(s.connection.canOpen, true);
  assert.ok(MAX_STREAM_ID > 0);
});

Deno.test("a server cannot open streams", () => {
  assert.equal(new Scripted("server").connection.open(CONNECT, new StreamLog()), null);
});

Deno.test("misuse by the owner throws, calls after the end do not", () => {
  const s = new Scripted("server");
  s.log.answer = () => {};
  s.send(s.headers(1, CONNECT));
  const stream = s.log.streams[0]!.stream;
  assert.throws(() => stream.reserve(10, 1000), /was not answered/);
  assert.throws(() => stream.end(), /was not answered/);
  stream.respond(OK, false);
  assert.throws(() => stream.respond(OK, false), /headers were sent before/);
  assert.throws(() => stream.reserve(0, 1000), RangeError);
  assert.throws(() => stream.commit(1, false), /reservation is gone/);
  stream.reserve(10, 1000);
  assert.throws(() => stream.commit(11, false), RangeError);
  stream.reserve(10, 1000);
  s.send(ping());
  assert.throws(() => stream.commit(10, false), /reservation is gone/, "a control frame took the place");
  s.send(rst(1));
  stream.end();
  stream.respond(OK, true);
  stream.reset(ErrorCode.CANCEL);
  assert.equal(stream.closed, true);
});

Deno.test("a reservation that is not committed sends nothing", () => {
  const s = new Scripted("server");
  s.send(s.headers(1, CONNECT));
  s.take();
  const stream = s.log.streams[0]!.stream;
  stream.reserve(100, 1000);
  stream.reserve(100, 1000);
  stream.commit(0, false);
  stream.reserve(100, 1000);
  stream.commit(0, true);
  assert.deepEqual(s.describeOutput(), ["DATA 1 0+"]);
});

const WITH_BODY: HeaderList = [[":method", "POST"], [":scheme", "http"], [":path", "/"], [":authority", "x"]];

Deno.test("handlers may reset, end, answer and open from inside any call", () => {
  const s = new Scripted("server");
  s.log.answer = (log, _headers, end) => {
    if (log.stream.id === 1) log.stream.reset(ErrorCode.REFUSED_STREAM);
    else if (end) log.stream.respond([[":status", "400"]], true);
    else log.stream.respond(OK, false);
    if (log.stream.id === 5) log.onEnded = () => log.stream.end();
    if (log.stream.id === 7) log.onFlush = () => log.stream.reset(ErrorCode.CANCEL);
    if (log.stream.id === 9) log.onData = () => log.stream.reset(ErrorCode.CANCEL);
  };
  s.send(
    s.headers(1, CONNECT),
    s.headers(3, WITH_BODY, true),
    s.headers(5, WITH_BODY),
    s.headers(7, WITH_BODY),
    s.headers(9, WITH_BODY),
    data(5, [1], true),
    data(7, [1]),
    data(9, [1, 2, 3], true),
    ping(),
  );
  assert.deepEqual(s.describeOutput(), [
    "RST_STREAM 1 7",
    "HEADERS 3+",
    "HEADERS 5",
    "HEADERS 7",
    "HEADERS 9",
    "DATA 5 0+",
    "RST_STREAM 9 8",
    "PING ACK",
    "RST_STREAM 7 8",
  ]);
  assert.equal(s.connection.streamCount, 0);
});

Deno.test("a handler that ends the connection from inside a call stops the pass", () => {
  const s = new Scripted("server");
  s.log.answer = (log) => {
    log.stream.respond(OK, false);
    s.connection.transportEnded("policy");
  };
  s.send(s.headers(1, CONNECT), s.headers(3, CONNECT), ping());
  assert.equal(s.log.requests.length, 1);
  assert.deepEqual(s.log.streams[0]!.events, ["reset transport 2"]);
});

Deno.test("onOutput is called once until everything was flushed", () => {
  const log = new EndpointLog();
  const s = new Scripted("server");
  s.send(s.headers(1, CONNECT));
  const before = s.log.outputs;
  s.take();
  s.send(ping(), ping());
  assert.equal(s.log.outputs, before + 1);
  s.sink.blocked = true;
  s.take();
  s.send(ping());
  assert.equal(s.log.outputs, before + 1);
  s.sink.blocked = false;
  assert.equal(s.describeOutput().length, 3);
  s.send(ping());
  assert.equal(s.log.outputs, before + 2);
  assert.equal(log.outputs, 0);
});

Deno.test("payload of an ended stream is flushed before the connection's end is reported", () => {
  const s = new Scripted("server");
  const order: string[] = [];
  s.send(s.headers(1, CONNECT));
  const log = s.log.streams[0]!;
  log.stream.end();
  log.onFlush = () => void order.push("flush");
  s.log.onEnd = () => void order.push("end");
  s.send(data(1, [1], true), data(0, [1]));
  assert.deepEqual(order, ["flush", "end"]);
});

Deno.test("SETTINGS with two header table sizes: the encoder passes through the smaller one", () => {
  const pair = new Pair();
  pair.open();
  pair.pump();
  const s = new Scripted("client");
  s.connection.open([...CONNECT, ["x", "remembered"]], new StreamLog());
  const long = s.take()[0]!.payload.length;
  s.send(settings(setting(1, 0), setting(1, 4096)));
  s.connection.open([...CONNECT, ["x", "remembered"]], new StreamLog());
  const again = s.take()[1]!.payload;
  assert.equal(again[0], 0x20, "a size update to 0 comes first");
  assert.ok(again.length >= long, "nothing is remembered");
});

Deno.test("with a gather limit below one useful read, bytes are still sent", () => {
  const pair = new Pair();
  const log = pair.open();
  pair.pump();
  sendAll(log, pattern(50_000), true, 5_000);
  pair.pump();
  assert.deepEqual(pair.serverLog.streams[0]!.body, pattern(50_000));
});

Deno.test("a request with END_STREAM: onRequest is called with end, and then onEnd unless the response has closed the stream", () => {
  const s = new Scripted("server");
  s.send(s.headers(1, CONNECT, true));
  assert.deepEqual(s.log.streams[0]!.events, ["end", "flush"]);
  s.log.answer = (log) => log.stream.respond([[":status", "400"]], true);
  s.send(s.headers(3, CONNECT, true));
  assert.deepEqual(s.log.streams[1]!.events, []);
  assert.deepEqual(s.log.events.slice(1), ["request 1 end", "request 3 end"]);
});

Deno.test("the end of the connection always calls onOutput, also without frames to flush", () => {
  const s = new Scripted("server");
  s.send(s.headers(1, CONNECT));
  s.log.streams[0]!.stream.end();
  s.connection.drain(s.now);
  const frames = s.take();
  s.send(ping(true, 0)); // an ACK of no PING of ours
  const answer = Uint8Array.from([0, 0, 8, 6, 1, 0, 0, 0, 0, ...frames.at(-1)!.payload]);
  s.send(answer);
  s.take();
  const before = s.log.outputs;
  s.send(data(1, [], true));
  assert.equal(s.log.end?.reason, "drained");
  assert.equal(s.log.outputs, before + 1);
  assert.deepEqual(s.take(), []);
});

Deno.test("a reservation that is not used holds no buffer", () => {
  const s = new Scripted("server");
  s.send(s.headers(1, CONNECT));
  s.take();
  assert.notEqual(s.log.streams[0]!.stream.reserve(100, 1000), null);
  assert.equal(s.pool.lentBytes, 0);
});
