import { strict as assert } from "node:assert";
import fc from "fast-check";
import { BufferPool, DATA_CAPACITY, LARGEST, SMALLEST } from "./buffer_pool.ts";
import { FrameWriter } from "./frame_writer.ts";
import { OutputBuffer } from "./output.ts";
import { OK, pattern, Sink } from "./testkit/pair.ts";
import { describe, split } from "./testkit/frames.ts";

function make(maxControlBytes = 1000) {
  const calls: string[] = [];
  const owner = { onOutput: () => void calls.push("output"), onControlOverflow: () => void calls.push("overflow") };
  const pool = new BufferPool();
  const out = new OutputBuffer(pool, owner, maxControlBytes);
  return { out, calls, pool, writer: new FrameWriter(out), sink: new Sink() };
}

Deno.test("reserved segments leave room for frame headers, and a short read makes a short last frame", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 2_000_000 }),
      fc.integer({ min: 20_000, max: 1_100_000 }),
      fc.integer({ min: 16_384, max: 100_000 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (want, gatherLimit, frameSize, share) => {
        const { out, sink } = make();
        const r = out.layout(want, gatherLimit, frameSize)!;
        let sum = 0;
        for (let i = 0; i < r.count; i++) sum += r.segments[2 * i + 1]!;
        assert.equal(sum, r.total);
        assert.ok(r.total <= want && r.count <= 64);
        const length = Math.max(1, Math.floor(r.total * share));
        const body = pattern(length);
        for (let i = 0, done = 0; i < r.count && done < length; i++) {
          const n = Math.min(r.segments[2 * i + 1]!, length - done);
          r.bytes.set(body.subarray(done, done + n), r.segments[2 * i]);
          done += n;
        }
        out.commit(5, length, true);
        assert.ok(out.end <= Math.min(gatherLimit, DATA_CAPACITY));
        out.flushTo(sink);
        const frames = split(sink.take());
        assert.ok(frames.every((f, i) =>
          f.payload.length <= frameSize && f.payload.length > 0 && f.id === 5 &&
          f.flags === (i === frames.length - 1 ? 1 : 0)
        ));
        assert.deepEqual(Uint8Array.from(frames.flatMap((f) => [...f.payload])), body);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("a large reservation ends where the output fills whole units, after short reads too", () => {
  const { out, sink } = make();
  out.unit = 65_072;
  const fill = (want: number, length = want) => {
    const r = out.layout(want, 1 << 20, 1 << 20)!;
    out.commit(1, Math.min(length, r.total), false);
    return out.end / out.unit;
  };
  assert.equal(fill(262_144), 4);
  assert.equal(fill(262_144, 131_072), (4 * out.unit + 9 + 131_072) / out.unit);
  assert.equal(fill(262_144), 10);
  out.flushTo(sink);
  assert.equal(fill(100_000), 1, "more than half of what is wanted is left");
  assert.equal(fill(65_072 + 30_000), 2);
  assert.equal(fill(1000), (2 * out.unit + 9 + 1000) / out.unit, "small ones end where they like");
});

Deno.test("whole units are counted from the first byte that was not taken yet", () => {
  const { out } = make();
  out.unit = 65_072;
  out.layout(10_000, 1 << 20, 1 << 20);
  out.commit(1, 10_000, false);
  out.flushTo({ write: () => 5000 });
  out.layout(262_144, 1 << 20, 1 << 20);
  out.commit(1, 4 * out.unit - 5009 - 9, false);
  assert.equal(out.pending / out.unit, 4);
});

Deno.test("less than 16 KiB of room is not reserved, unless less is needed", () => {
  const { out } = make();
  const r = out.layout(1 << 20, 140_000, 1 << 20)!;
  assert.equal(r.total, 140_000 - 9);
  out.commit(1, 120_000, false);
  assert.notEqual(out.layout(19_900, 140_000, 16_384), null);
  out.commit(1, 10_000, false);
  assert.equal(out.layout(20_000, 140_000, 16_384), null);
  assert.equal(out.full, true);
  assert.notEqual(out.layout(9_000, 140_000, 16_384), null);
  assert.notEqual(out.layout(20_000, 1 << 20, 16_384), null);
});

Deno.test("a buffer is borrowed for the first frame and returned when all frames were taken", () => {
  const { out, pool, calls, writer, sink } = make();
  assert.equal(out.bytes.length, 0);
  writer.settingsAck();
  assert.equal(out.bytes.length, SMALLEST);
  assert.equal(pool.lentBytes, SMALLEST);
  writer.rstStream(1, 8);
  assert.deepEqual(calls, ["output"]);
  assert.equal(out.flushTo(sink), "empty");
  assert.equal(pool.lentBytes, 0);
  assert.equal(out.bytes.length, 0);
  out.markFlushed();
  writer.settingsAck();
  assert.deepEqual(calls, ["output", "output"]);
  out.clear();
  assert.equal(pool.lentBytes, 0);
});

/** Reads `bytes` into a reservation, as a socket would, and commits them. */
function fill(out: OutputBuffer, bytes: Uint8Array, want = 262_144): void {
  const r = out.layout(want, 1 << 20, 16_384)!;
  for (let i = 0, done = 0; done < bytes.length; i++) {
    const length = Math.min(r.segments[2 * i + 1]!, bytes.length - done);
    r.bytes.set(bytes.subarray(done, done + length), r.segments[2 * i]);
    done += length;
  }
  out.commit(1, bytes.length, false);
}

Deno.test("a small read is copied into a small buffer, and a large one keeps the shared buffer", () => {
  const { out, pool, sink, writer } = make();
  const sent: Uint8Array[] = [];
  writer.ping(1, 2, false);
  for (const [length, lent] of [[64, SMALLEST], [5000, 16_384], [100, 16_384], [60_000, LARGEST], [70, LARGEST]]) {
    const bytes = pattern(length!);
    sent.push(bytes);
    fill(out, bytes);
    assert.equal(pool.lentBytes, lent, `${length}`);
  }
  assert.equal(out.flushTo(sink), "empty");
  assert.equal(pool.lentBytes, 0);
  const frames = split(sink.take());
  assert.equal(describe(frames[0]!), "PING");
  const payload = frames.slice(1).flatMap((frame) => [...frame.payload]);
  assert.deepEqual(payload, sent.flatMap((bytes) => [...bytes]));
});

Deno.test("two connections read into the same memory, and each keeps its own bytes", () => {
  const pool = new BufferPool();
  const owner = { onOutput() {}, onControlOverflow() {} };
  const [a, b] = [new OutputBuffer(pool, owner, 1000), new OutputBuffer(pool, owner, 1000)];
  const bytes = { a: pattern(90_000), b: pattern(30_000).map((byte) => byte ^ 0xff) };
  fill(a, bytes.a.subarray(0, 50));
  fill(b, bytes.b);
  fill(a, bytes.a.subarray(50));
  for (const [out, expected] of [[a, bytes.a], [b, bytes.b]] as const) {
    const sink = new Sink();
    out.flushTo(sink);
    assert.deepEqual(split(sink.take()).flatMap((frame) => [...frame.payload]), [...expected]);
  }
});

Deno.test("a reservation is invalid after another connection has made one", () => {
  const pool = new BufferPool();
  const owner = { onOutput() {}, onControlOverflow() {} };
  const [a, b] = [new OutputBuffer(pool, owner, 1000), new OutputBuffer(pool, owner, 1000)];
  a.layout(100, 1 << 20, 16_384);
  assert.equal(a.reservationValid, true);
  b.layout(100, 1 << 20, 16_384);
  assert.equal(a.reservationValid, false);
  assert.equal(b.reservationValid, true);
});

Deno.test("where many buffers are lent, a blocked connection holds only as much memory as it has bytes to send", () => {
  const { out, pool, sink } = make();
  fill(out, pattern(200_000));
  sink.most = 190_000;
  assert.equal(out.flushTo(sink), "blocked");
  assert.equal(pool.lentBytes, LARGEST, "few are lent");
  const others = [1, 2, 3, 4].map(() => pool.borrow(LARGEST));
  sink.most = 5;
  assert.equal(out.flushTo(sink), "blocked");
  for (const other of others) pool.giveBack(other);
  assert.equal(pool.lentBytes, 16_384);
  sink.most = Infinity;
  assert.equal(out.flushTo(sink), "empty");
  assert.deepEqual(split(sink.take()).flatMap((frame) => [...frame.payload]), [...pattern(200_000)]);
});

Deno.test("a partial writer is offered the rest, an all-or-nothing writer the same bytes and more", () => {
  const { out, writer, sink } = make();
  writer.ping(1, 2, false);
  sink.most = 5;
  assert.equal(out.flushTo(sink), "blocked");
  sink.most = Infinity;
  sink.blocked = true;
  assert.equal(out.flushTo(sink), "blocked");
  writer.settingsAck();
  sink.blocked = false;
  assert.equal(out.flushTo(sink), "empty");
  assert.deepEqual(sink.offers, [17, 12, 21]);
  assert.deepEqual(split(sink.take()).map(describe), ["PING", "SETTINGS ACK"]);
});

Deno.test("a failed write is reported, and the frames are kept", () => {
  const { out, writer } = make();
  writer.settingsAck();
  assert.equal(out.flushTo({ write: () => -1 }), "failed");
  assert.equal(out.pending, 9);
});

Deno.test("control frames still fit into a full buffer, up to their limit, and GOAWAY after that", () => {
  const { out, calls, writer, sink } = make(1000);
  out.layout(DATA_CAPACITY, DATA_CAPACITY, 1 << 24);
  out.commit(1, DATA_CAPACITY - 9, false);
  assert.equal(out.layout(1, 1 << 20, 16_384), null);
  for (let i = 0; i < 76; i++) writer.windowUpdate(1, 1);
  assert.deepEqual(calls, ["output"]);
  writer.windowUpdate(1, 1);
  writer.windowUpdate(1, 1);
  assert.deepEqual(calls, ["output", "overflow"], "the 77th does not fit into 1000 bytes");
  writer.goAway(0, 11, "x".repeat(500));
  out.flushTo(sink);
  const frames = split(sink.take());
  assert.equal(frames.length, 1 + 76 + 1);
  assert.equal(frames.at(-1)!.payload.length, 8 + 160);
});

Deno.test("a transport that takes a few bytes frees control room, and waiting bytes move to the start of the buffer", () => {
  const { out, calls, writer, sink } = make(30_000);
  const all: Uint8Array[] = [];
  for (let round = 0; round < 120; round++) {
    for (let i = 0; i < 1000; i++) writer.windowUpdate(round + 1, i + 1);
    sink.most = 12_999;
    while (out.pending > 14_000) out.flushTo(sink);
    sink.most = 7;
    out.flushTo(sink);
    all.push(sink.take());
  }
  sink.most = Infinity;
  assert.equal(out.flushTo(sink), "empty");
  assert.deepEqual(calls, ["output"]);
  const bytes = new Uint8Array(120 * 13_000);
  let at = 0;
  for (const piece of [...all, sink.take()]) {
    bytes.set(piece, at);
    at += piece.length;
  }
  assert.equal(at, bytes.length);
  const frames = split(bytes);
  assert.ok(frames.every((f, i) => describe(f) === `WINDOW_UPDATE ${Math.floor(i / 1000) + 1} ${i % 1000 + 1}`));
});

Deno.test("a header block above the peer's frame size continues in CONTINUATION frames", () => {
  for (const length of [10, 16_384 - 4, 16_384, 40_000, 3 * 16_384]) {
    const { out, writer, sink } = make(1 << 20);
    // Huffman coding would make these bytes longer, so they are sent as they are.
    const value = Array.from(pattern(length), (byte) => String.fromCharCode(0x80 | byte)).join("");
    writer.headers(3, [...OK, ["x-long", value]], true, 16_384, true);
    out.flushTo(sink);
    const frames = split(sink.take());
    assert.equal(frames.length, Math.ceil(frames.reduce((sum, f) => sum + f.payload.length, 0) / 16_384));
    frames.forEach((f, i) => {
      assert.equal(f.type, i === 0 ? 1 : 9);
      assert.equal(f.flags, (i === 0 ? 1 : 0) | (i === frames.length - 1 ? 4 : 0));
      assert.ok(i === frames.length - 1 || f.payload.length === 16_384);
    });
  }
});
