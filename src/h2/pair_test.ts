/** Two endpoints, connected in memory, with random actions. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ErrorCode, type H2Options } from "./seam.ts";
import { assertAlive, CONNECT, Pair, pattern, sendAll, StreamLog } from "./testkit/pair.ts";
import { frame, Scripted } from "./testkit/frames.ts";

Deno.test("the same bytes arrive when the wire is cut at every boundary", () => {
  for (let size = 1; size <= 60; size++) {
    const pair = new Pair();
    pair.nextChunk = () => size;
    const log = pair.open();
    pair.pump();
    const server = pair.serverLog.streams[0]!;
    sendAll(log, pattern(300, size));
    sendAll(server, pattern(200, size + 1));
    pair.pump();
    assert.deepEqual(server.body, pattern(300, size));
    assert.deepEqual(log.body, pattern(200, size + 1));
    assert.deepEqual(log.events.filter((e) => e === "end" || e === "response"), ["response", "end"]);
  }
});

type Step = { op: string; who: number; n: number };
const step: fc.Arbitrary<Step> = fc.record({
  op: fc.constantFrom(
    "open",
    "send",
    "send",
    "send",
    "send",
    "end",
    "reset",
    "release",
    "pump",
    "pump",
    "ping",
    "chunk",
  ),
  who: fc.nat(9),
  n: fc.nat(200_000),
});
const options: fc.Arbitrary<Partial<H2Options>> = fc.record({
  streamWindow: fc.constantFrom(20_000, 65_535, 200_000),
  connectionWindow: fc.constantFrom(65_535, 100_000, 1 << 20),
  maxFrameSize: fc.constantFrom(16_384, 1 << 20),
  maxUnreleased: fc.constantFrom(50_000, 64 << 20),
});

/** What one side of a stream sent and what the other side got. */
class Direction {
  readonly sent: number[] = [];
  #next = 0;
  done = false;
  constructor(readonly from: StreamLog, readonly seed: number) {}

  send(n: number): void {
    const r = this.done || this.from.stream.closed ? null : this.from.stream.reserve(Math.max(1, n), 1 << 20);
    if (r === null) return;
    const used = Math.max(1, Math.min(r.total, n));
    let left = used;
    for (let i = 0; i < r.count && left > 0; i++) {
      const length = Math.min(left, r.segments[2 * i + 1]!);
      for (let k = 0; k < length; k++) r.bytes[r.segments[2 * i]! + k] = (this.#next++ * 31 + this.seed) & 255;
      left -= length;
    }
    this.from.stream.commit(used, false);
  }
  end(): void {
    this.done = true;
    this.from.stream.end();
  }
  check(to: StreamLog): void {
    const body = to.body;
    const wrong = body.findIndex((byte, i) => byte !== ((i * 31 + this.seed) & 255));
    assert.equal(wrong, -1, `byte ${wrong} is ${body[wrong]}`);
    assert.ok(body.length <= this.#next);
    if (to.events.includes("end")) assert.equal(body.length, this.#next, "all bytes came before the end");
  }
}

/** Pieces of one size, at most: megabytes in single bytes would take minutes. */
const PIECES = 2000;

function piecesOf(size: number): () => number {
  let left = PIECES;
  return () => left-- > 0 ? size : Infinity;
}

Deno.test("random actions on both sides: bytes arrive in order, ends arrive once, windows add up", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), options, options, (steps, client, server) => {
      const pair = new Pair(client, server);
      const ups: Direction[] = [], downs: Direction[] = [];
      for (const { op, who, n } of steps) {
        const up = ups[who % Math.max(1, ups.length)], down = downs[who % Math.max(1, downs.length)];
        const either = n % 2 === 0 ? up : down;
        switch (op) {
          case "open":
            if (!pair.client.canOpen) break;
            ups.push(new Direction(pair.open(), ups.length));
            ups.at(-1)!.from.autoRelease = who < 7;
            break;
          case "send":
            either?.send(n);
            break;
          case "end":
            either?.end();
            break;
          case "reset":
            if (who < 3) either?.from.stream.reset(ErrorCode.CANCEL);
            break;
          case "release":
            if (either?.from.autoRelease === false) either.from.stream.release(n);
            break;
          case "ping":
            pair.client.ping(pair.now);
            break;
          case "chunk":
            pair.nextChunk = piecesOf(1 + n);
            break;
          case "pump":
            pair.pump();
            while (downs.length < pair.serverLog.streams.length) {
              downs.push(new Direction(pair.serverLog.streams[downs.length]!, 100 + downs.length));
            }
        }
      }
      pair.pump();
      assertAlive(pair.clientLog);
      assertAlive(pair.serverLog);
      // The server numbers its streams as they come; a client's stream that was reset at once may never come.
      pair.serverLog.streams.forEach((log) => ups.find((up) => up.from.stream.id === log.stream.id)!.check(log));
      downs.forEach((down) => down.check(ups.find((up) => up.from.stream.id === down.from.stream.id)!.from));
      // Afterwards both sides read, and open streams can be finished.
      for (const log of [...ups, ...downs].map((d) => d.from)) {
        log.autoRelease = true;
        log.stream.release(1e9);
      }
      pair.pump();
      for (const direction of [...ups, ...downs]) direction.end();
      pair.pump();
      const undecided = pair.serverLog.streams.length - downs.length;
      for (const log of pair.serverLog.streams.slice(downs.length)) log.stream.end();
      pair.pump();
      assert.ok(undecided >= 0);
      assert.equal(pair.client.streamCount, 0);
      assert.equal(pair.server.streamCount, 0);
      // No credit was lost: a stream can use the whole connection window again.
      const log = pair.open();
      pair.pump();
      log.keep = pair.serverLog.streams.at(-1)!.keep = false;
      const [up, down] = [server, client].map(({ connectionWindow = 0 }) => new Uint8Array(connectionWindow + 1));
      sendAll(log, up!);
      sendAll(pair.serverLog.streams.at(-1)!, down!);
      pair.pump();
      assert.equal(pair.serverLog.streams.at(-1)!.bytes, up!.length);
      assert.equal(log.bytes, down!.length);
    }),
    { numRuns: 150 },
  );
});

Deno.test("streams that wait for the connection window or for room take turns", () => {
  for (const connectionWindow of [65_535, 1 << 30]) {
    const pair = new Pair({}, { connectionWindow, streamWindow: 1 << 30 });
    const logs = Array.from({ length: 5 }, () => pair.open());
    pair.pump();
    const order: number[] = [];
    for (const log of logs) sendAll(log, new Uint8Array(4 << 20), true, 300_000);
    for (const log of pair.serverLog.streams) {
      log.keep = false;
      log.onFlush = () => {
        order.push(log.stream.id);
        log.stream.release(1e9);
      };
    }
    for (let i = 0; i < 25; i++) {
      pair.carry(pair.client, pair.server);
      pair.carry(pair.server, pair.client);
    }
    const counts = logs.map((log) => order.filter((id) => id === log.stream.id).length);
    assert.ok(Math.min(...counts) > 0 && Math.max(...counts) - Math.min(...counts) <= 5, counts.join(" "));
    pair.pump();
    for (const log of pair.serverLog.streams) assert.equal(log.bytes, 4 << 20);
  }
});

Deno.test("with a blocked transport no bytes are lost", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(70_000), { minLength: 1 }), fc.boolean(), (takes, allOrNothing) => {
      const pair = new Pair();
      const log = pair.open();
      pair.pump();
      const server = pair.serverLog.streams[0]!;
      sendAll(log, pattern(3 << 20));
      for (let i = 0; server.events.at(-2) !== "end"; i++) {
        const budget = takes[i % takes.length]! + (i > 500 ? 1 << 20 : 0);
        const pieces: Uint8Array[] = [];
        pair.client.flushTo({
          write(bytes) {
            const n = allOrNothing ? (budget % 2 === 0 ? bytes.length : 0) : Math.min(budget, bytes.length);
            pieces.push(bytes.slice(0, n));
            return i > 1000 ? bytes.length : n;
          },
        });
        for (const piece of pieces) pair.server.receive(piece, 0, piece.length, pair.now);
        pair.carry(pair.server, pair.client);
        if (i > 1000) return; // a transport that takes nothing
      }
      assert.deepEqual(server.body, pattern(3 << 20));
    }),
    { numRuns: 20 },
  );
});

const wild = fc.record({
  type: fc.oneof(fc.nat(10), fc.nat(255)),
  flags: fc.nat(255),
  id: fc.oneof(fc.nat(9), fc.nat(0x7fffffff)),
  payload: fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.constantFrom(1, 4, 5, 6, 8, 12).map((n) => new Uint8Array(n).fill(1)),
    fc.constantFrom(Uint8Array.of(0x82, 0x86, 0x84), Uint8Array.of(0x88)),
  ),
});
for (const role of ["server", "client"] as const) {
  Deno.test(`${role}: arbitrary frames never throw, and no call follows the end`, () => {
    fc.assert(
      fc.property(
        fc.array(wild, { maxLength: 40 }),
        fc.array(fc.integer({ min: 1, max: 99 }), { minLength: 1 }),
        (frames, cuts) => {
          const s = new Scripted(role);
          const logs = role === "server" ? s.log.streams : [1, 3, 5].map(() => {
            const log = new StreamLog();
            log.stream = s.connection.open(CONNECT, log)!;
            return log;
          });
          if (role === "server") s.send(s.headers(1, CONNECT), s.headers(3, CONNECT), s.headers(5, CONNECT));
          for (const f of frames) {
            const bytes = frame(f.type, f.flags, f.id, f.payload);
            for (let at = 0, i = 0; at < bytes.length; i++) {
              const end = Math.min(bytes.length, at + cuts[i % cuts.length]!);
              s.send(bytes.slice(at, end));
              at = end;
            }
            s.now++;
            s.connection.tick(s.now);
          }
          s.take();
          s.connection.transportEnded("gone");
          assert.equal(s.connection.streamCount, 0);
          for (const log of logs) {
            assert.ok(log.stream.closed);
            const resets = log.events.filter((e) => e.startsWith("reset")).length;
            assert.ok(resets === 0 || (resets === 1 && log.events.at(-1)!.startsWith("reset")));
            assert.ok(log.events.filter((e) => e === "end").length <= 1);
          }
          assert.equal(s.pool.lentBytes, 0);
        },
      ),
      { numRuns: 500 },
    );
  });

  Deno.test(`${role}: arbitrary bytes never throw`, () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 100 })), fc.boolean(), (pieces, bare) => {
        const s = new Scripted(role, {}, bare);
        for (const piece of pieces) s.send(piece);
        s.take();
      }),
      { numRuns: 300 },
    );
  });
}
