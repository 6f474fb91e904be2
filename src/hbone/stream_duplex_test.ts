import { strict as assert } from "node:assert";
import { ErrorCode, type H2Options } from "../h2/seam.ts";
import { Pair, pattern, sendAll, type StreamLog } from "../h2/testkit/pair.ts";
import { type DuplexSink, FAILED } from "../net/duplex.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { assertSameBytes, Pump } from "../net/testkit/contract_kit.ts";
import { makeHboneLoop } from "./hbone_loop.ts";
import { StreamDuplex } from "./stream_duplex.ts";
import { ONE, SERVER_AT } from "./testkit/pool.ts";

/** A client's stream as a duplex, and the server's side of it. */
class Bed {
  readonly network = new MemoryNetwork();
  readonly loop = makeHboneLoop(this.network);
  readonly pair: Pair;

  constructor(client: Partial<H2Options> = {}, server: Partial<H2Options> = {}) {
    this.pair = new Pair(client, server);
  }

  open(): { duplex: StreamDuplex; server: StreamLog } {
    const log = this.pair.open();
    const duplex = new StreamDuplex(this.loop, log.stream, { local: { ip: ONE, port: 0 }, remote: SERVER_AT });
    this.run();
    return { duplex, server: this.pair.serverLog.streams.at(-1)! };
  }

  /** Carries bytes until none are left. */
  run(): void {
    do this.network.runUntilIdle(); while (this.pair.pump() > 0);
    this.network.runUntilIdle();
  }
}

/** Records all calls. */
class SinkLog implements DuplexSink {
  readonly calls: string[] = [];
  onReadable(): void {
    this.calls.push("readable");
  }
  onWritable(): void {
    this.calls.push("writable");
  }
  onFailure({ message }: { message: string }): void {
    this.calls.push(message);
  }
}

Deno.test("stream duplex: a unit of payload fills a unit of the transport, together with its frame headers", () => {
  for (const maxFrameSize of [16_384, 1 << 20]) {
    const bed = new Bed({}, { maxFrameSize });
    const { duplex } = bed.open();
    assert.equal(duplex.writeUnit, 1);
    bed.pair.client.alignOutput(65_072);
    for (let units = 1; units <= 3; units++) {
      assert.equal(duplex.write(new Uint8Array(duplex.writeUnit)), duplex.writeUnit);
    }
    let sent = 0;
    bed.pair.client.flushTo({ write: ({ length }) => (sent += length, length) });
    assert.equal(sent, 3 * 65_072);
  }
});

Deno.test("stream duplex: payload passes both ways through small windows, then the end", () => {
  const bed = new Bed({ streamWindow: 10_000 }, { streamWindow: 20_000 });
  const { duplex, server } = bed.open();
  const down = pattern(200_000, 2);
  sendAll(server, down);
  const pump = new Pump(bed.network, duplex, pattern(300_000), { readSizes: [1, 5000, 17], writeSize: 40_000 });
  bed.run();
  assert.equal(pump.done, true);
  assertSameBytes(pump.bytes, down);
  assertSameBytes(server.body, pump.payload);
  assert.ok(server.events.includes("end"));
  assert.deepEqual([pump.failure, bed.pair.client.streamCount], [null, 0]);
});

Deno.test("stream duplex: scattered reads and gathered writes", () => {
  const bed = new Bed();
  const { duplex, server } = bed.open();
  duplex.start(new SinkLog());
  sendAll(server, Uint8Array.of(1, 2, 3, 4, 5), false);
  bed.run();
  const into = new Uint8Array(10);
  assert.equal(duplex.readScatter(into, Int32Array.of(0, 2, 5, 5), 2), 5);
  assert.deepEqual([...into], [1, 2, 0, 0, 0, 3, 4, 5, 0, 0]);
  assert.equal(duplex.readScatter(into, Int32Array.of(0, 2), 1), 0);
  assert.equal(duplex.writeGather(into, Int32Array.of(5, 3, 0, 2), 2), 5);
  bed.run();
  assert.deepEqual([...server.body], [3, 4, 5, 1, 2]);
  duplex.close(true);
});

Deno.test("stream duplex: the sink is called at the end of the turn, once, and gets the rest by reading", () => {
  const bed = new Bed();
  const { duplex, server } = bed.open();
  const log = new SinkLog();
  duplex.start(log);
  sendAll(server, pattern(100), false);
  bed.pair.pump();
  assert.deepEqual([log.calls, duplex.readable], [[], false], "not from inside of the connection");
  bed.run();
  sendAll(server, pattern(100), false);
  bed.run();
  assert.deepEqual([log.calls, duplex.readable], [["readable"], true]);
  assert.equal(duplex.read(new Uint8Array(150)), 150);
  assert.equal(duplex.readable, true);
  assert.equal(duplex.read(new Uint8Array(150)), 50);
  assert.deepEqual([duplex.readable, duplex.ended], [false, false]);
  server.stream.end();
  bed.run();
  assert.deepEqual(log.calls, ["readable", "readable"]);
  assert.equal(duplex.read(new Uint8Array(1)), 0);
  assert.deepEqual([duplex.readable, duplex.ended], [false, true]);
  duplex.close();
});

Deno.test("stream duplex: bytes that arrived before start() show in readable", () => {
  const bed = new Bed();
  const { duplex, server } = bed.open();
  sendAll(server, pattern(10));
  bed.run();
  duplex.start(new SinkLog());
  assert.equal(duplex.readable, true);
  assert.equal(duplex.read(new Uint8Array(100)), 10);
  assert.equal(duplex.ended, true);
  duplex.close();
});

Deno.test("stream duplex: without reads at most the stream's window is held; reading returns the credit", () => {
  const bed = new Bed({ streamWindow: 100_000 });
  const { duplex, server } = bed.open();
  const payload = pattern(350_000);
  duplex.start(new SinkLog());
  sendAll(server, payload);
  bed.run();
  const into = new Uint8Array(1_000_000);
  const first = duplex.read(into);
  assert.equal(first, 100_000);
  const got = [into.slice(0, first)];
  for (bed.run(); !duplex.ended; bed.run()) {
    const count = duplex.read(into);
    assert.ok(count <= 100_000);
    got.push(into.slice(0, count));
  }
  assertSameBytes(Uint8Array.from(got.flatMap((part) => [...part])), payload);
  duplex.close();
});

Deno.test("stream duplex: a write takes as many bytes as there is room for, and onWritable follows when there is more", () => {
  const bed = new Bed({}, { streamWindow: 70_000 });
  const { duplex, server } = bed.open();
  const log = new SinkLog();
  duplex.start(log);
  server.autoRelease = false;
  assert.equal(duplex.write(pattern(100_000)), 70_000);
  bed.run();
  assert.equal(duplex.write(pattern(1)), 0);
  assert.deepEqual(log.calls, []);
  server.stream.release(70_000);
  bed.run();
  assert.deepEqual(log.calls, ["writable"]);
  assert.equal(duplex.write(pattern(30_000)), 30_000);
  bed.run();
  assert.deepEqual([server.bytes, log.calls], [100_000, ["writable"]]);
  duplex.close(true);
});

Deno.test("stream duplex: half-close, either way", () => {
  const bed = new Bed();
  const { duplex, server } = bed.open();
  duplex.start(new SinkLog());
  duplex.end();
  duplex.end();
  bed.run();
  assert.ok(server.events.includes("end"));
  assert.equal(duplex.write(pattern(1)), FAILED);
  duplex.close();
  server.stream.end();
  bed.run();
  assert.equal(bed.pair.client.streamCount, 0);
});

Deno.test("stream duplex: close() sends END_STREAM, and drops the peer's bytes until it ends", () => {
  const bed = new Bed({ streamWindow: 100_000 });
  const { duplex, server } = bed.open();
  const log = new SinkLog();
  duplex.start(log);
  duplex.write(pattern(10));
  duplex.close();
  duplex.close(true);
  sendAll(server, pattern(500_000), false);
  bed.run();
  assert.deepEqual([server.bytes, server.events.includes("end")], [10, true]);
  assert.equal(bed.pair.client.streamCount, 1);
  server.stream.end();
  bed.run();
  assert.equal(bed.pair.client.streamCount, 0);
  bed.network.advance(10_000);
  assert.equal(server.failure, null);
  assert.deepEqual(log.calls, []);
});

Deno.test("stream duplex: a peer that does not end is reset after a second", () => {
  const bed = new Bed();
  const { duplex, server } = bed.open();
  duplex.start(new SinkLog());
  duplex.close();
  bed.network.advance(999);
  assert.equal(bed.pair.client.streamCount, 1);
  bed.network.advance(1);
  bed.run();
  assert.equal(bed.pair.client.streamCount, 0);
  assert.equal(server.failure?.code, ErrorCode.CANCEL);
});

Deno.test("stream duplex: a reset is sent, and a received one is reported after earlier bytes", () => {
  const bed = new Bed();
  const first = bed.open(), second = bed.open();
  first.duplex.start(new SinkLog());
  first.duplex.close(true);
  bed.run();
  assert.equal(first.server.failure?.code, ErrorCode.CANCEL);
  const log = new SinkLog();
  second.duplex.start(log);
  sendAll(second.server, pattern(10), false);
  bed.run();
  second.server.stream.reset(ErrorCode.CANCEL);
  bed.run();
  assert.deepEqual([log.calls, second.duplex.broken, second.duplex.failure], [["readable"], true, null]);
  const into = new Uint8Array(10);
  assert.equal(second.duplex.read(into), 10);
  assert.equal(second.duplex.readable, true, "for the end of it");
  assert.equal(second.duplex.read(into), FAILED);
  const { failure } = second.duplex;
  assert.deepEqual([failure?.how, failure?.message], ["reset", "the outer tunnel was reset: stream no longer needed"]);
  second.duplex.close();
});

Deno.test("stream duplex: with nothing to read a failure is reported, unless the duplex is closed by then", () => {
  const bed = new Bed();
  const [first, second] = [bed.open(), bed.open()].map(({ duplex }) => {
    const log = new SinkLog();
    duplex.start(log);
    return { duplex, log };
  });
  bed.pair.client.transportEnded("gone");
  second!.duplex.close();
  bed.network.advance(5000);
  assert.deepEqual(first!.log.calls, ["the outer tunnel broke: gone"]);
  assert.equal(first!.duplex.write(pattern(1)), FAILED);
  assert.deepEqual(second!.log.calls, []);
});

Deno.test("stream duplex: bytes that are dropped unread do not count as held", () => {
  // Above `maxUnreleased` the connection's credit is withheld.
  const bed = new Bed({ streamWindow: 50_000, maxUnreleased: 100_000, connectionWindow: 100_000 });
  for (let i = 0; i < 20; i++) {
    const { duplex, server } = bed.open();
    duplex.start(new SinkLog());
    sendAll(server, pattern(80_000), i % 2 === 0);
    bed.run();
    duplex.close(i % 3 === 0);
    bed.run();
    bed.network.advance(1000);
    bed.run();
  }
  // Two streams that do not read must leave credit for the third.
  for (let i = 0; i < 2; i++) sendAll(bed.open().server, pattern(50_000));
  const { duplex, server } = bed.open();
  const pump = new Pump(bed.network, duplex, new Uint8Array(0));
  sendAll(server, pattern(300_000));
  bed.run();
  assert.equal(pump.receivedBytes, 300_000);
});
