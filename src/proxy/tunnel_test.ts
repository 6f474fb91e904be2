/** One tunnel with a fake stream: credit, parts, endings (`docs/spec/dataplane.md` 2.6, 4). */
import { strict as assert } from "node:assert";
import { assertSameBytes } from "../net/testkit/contract_kit.ts";
import { ErrorCode, type H2Failure, type Reservation, type Stream, type StreamHandler } from "../h2/seam.ts";
import { pattern } from "../h2/testkit/pair.ts";
import { BlockPool } from "../net/block_pool.ts";
import { makeLoop } from "../net/loop.ts";
import { PendingBytes } from "../hbone/pending_bytes.ts";
import { HostNetwork } from "../hbone/testkit/network.ts";
import { TestSocket } from "../hbone/testkit/socket.ts";
import type { MemoryDuplex } from "../net/testkit/memory_duplex.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import type { CopyOutcome } from "./copy.ts";
import { Tunnel } from "./tunnel.ts";

/** Takes `room` bytes at most, in frames of 100 bytes. */
class FakeStream implements Stream {
  readonly payloadUnit = 1;
  readonly id = 1;
  handler!: StreamHandler;
  closed = false;
  room = Infinity;
  released = 0;
  sent: number[] = [];
  sentEnd = false;
  resets: ErrorCode[] = [];
  #reserved: Reservation | null = null;

  respond(): void {}

  reserve(want: number): Reservation | null {
    const total = Math.min(want, 6400, this.room);
    if (total <= 0) return null;
    const count = Math.ceil(total / 100);
    const segments = new Int32Array(2 * count);
    for (let i = 0; i < count; i++) {
      segments[2 * i] = i * 109 + 9;
      segments[2 * i + 1] = Math.min(100, total - i * 100);
    }
    return this.#reserved = { bytes: new Uint8Array(count * 109), segments, count, total };
  }

  commit(length: number, end: boolean): void {
    const { bytes, segments, count } = this.#reserved!;
    for (let i = 0, left = length; i < count && left > 0; i++) {
      const part = Math.min(left, segments[2 * i + 1]!);
      this.sent.push(...bytes.subarray(segments[2 * i]!, segments[2 * i]! + part));
      left -= part;
    }
    this.room -= length;
    if (end) this.end();
  }

  end(): void {
    assert.equal(this.sentEnd, false);
    this.sentEnd = true;
  }

  reset(code: ErrorCode): void {
    if (!this.closed) this.resets.push(code);
    this.closed = true;
  }

  release(length: number): void {
    assert.ok(length > 0);
    this.released += length;
  }

  /** One pass with these pieces of `bytes`, and perhaps the end. */
  pass(bytes: Uint8Array, pieces: readonly number[], end = false): void {
    const lent = bytes.slice();
    let at = 0;
    for (const length of pieces) {
      if (this.closed) return;
      this.handler.onData(lent, at, at + length);
      at += length;
    }
    if (end) this.handler.onEnd();
    if (!this.closed) this.handler.onFlush();
    lent.fill(0xee);
  }

  broken(failure: Partial<H2Failure>): void {
    this.closed = true;
    this.handler.onReset({ by: "peer", code: ErrorCode.CANCEL, reason: "why", ...failure });
  }
}

interface Bed {
  readonly network: MemoryNetwork;
  readonly stream: FakeStream;
  readonly app: TestSocket;
  readonly socket: MemoryDuplex;
  readonly tunnel: Tunnel;
  up: number;
  down: number;
  outcomes: CopyOutcome[];
  halfCloses: number;
  ended: string | null;
}

interface BedOptions {
  readonly bufferBytes?: number;
  readonly downstream?: boolean;
  readonly early?: Uint8Array;
  readonly earlyEnd?: boolean;
}

function bed({ bufferBytes = 65_536, downstream = false, early, earlyEnd = false }: BedOptions = {}): Bed {
  const network = new MemoryNetwork({ bufferBytes });
  const loop = makeLoop(new HostNetwork(network, 1));
  const [socket, appEnd] = network.pair({ bufferBytes });
  const app = new TestSocket(network, appEnd);
  const stream = new FakeStream();
  const counts = { up: 0, down: 0, outcomes: [] as CopyOutcome[], halfCloses: 0, ended: null as string | null };
  const countUp = (count: number) => void (counts.up += count),
    countDown = (count: number) => void (counts.down += count);
  const meter = downstream
    ? { addReceived: countUp, addSent: countDown }
    : { addReceived: countDown, addSent: countUp };
  const tunnel = new Tunnel(loop, socket, stream, meter, downstream, {
    onHalfClosed: () => void counts.halfCloses++,
    onCopied: (outcome, { by, how }) => {
      counts.outcomes.push(outcome);
      counts.ended = `${by} ${how}`;
    },
  });
  const pending = new PendingBytes(new BlockPool());
  if (early !== undefined) pending.add(early, 0, early.length);
  tunnel.start(early === undefined ? null : pending, earlyEnd);
  network.runUntilIdle();
  return Object.assign(counts, { network, stream, app, socket, tunnel });
}

Deno.test("tunnel: a pass of many pieces, more than one system call takes, arrives in order", () => {
  const { network, stream, app } = bed();
  const bytes = pattern(500);
  stream.pass(bytes, Array(500).fill(1));
  network.runUntilIdle();
  assertSameBytes(app.bytes, bytes);
  assert.equal(stream.released, 500);
});

for (const first of ["application", "peer"] as const) {
  Deno.test(`tunnel: it is half-closed once, when the ${first} has ended`, () => {
    const here = bed();
    const end = { application: () => void here.app.end(), peer: () => here.stream.pass(new Uint8Array(), [], true) };
    end[first]();
    here.network.runUntilIdle();
    assert.deepEqual([here.halfCloses, here.tunnel.isHalfClosed, here.outcomes], [1, true, []]);
    end[first === "peer" ? "application" : "peer"]();
    here.network.runUntilIdle();
    assert.deepEqual([here.halfCloses, here.tunnel.isHalfClosed, here.outcomes], [1, true, [null]]);
  });
}

Deno.test("tunnel: credit returns when bytes are written, not when they arrive", () => {
  const here = bed({ bufferBytes: 1000 });
  const { network, stream, app } = here;
  app.stopReading();
  const bytes = pattern(5000);
  for (let i = 0; i < 5; i++) stream.pass(bytes.subarray(i * 1000), [700, 300]);
  network.runUntilIdle();
  assert.deepEqual([stream.released, here.down], [1000, 1000]);
  app.goOnReading();
  network.runUntilIdle();
  assertSameBytes(app.bytes, bytes);
  assert.deepEqual([stream.released, here.down], [5000, 5000]);
});

Deno.test("tunnel: the end follows pending bytes, and is sent at once without them", () => {
  const { network, stream, app } = bed({ bufferBytes: 100 });
  app.stopReading();
  stream.pass(pattern(250), [250], true);
  network.runUntilIdle();
  app.goOnReading();
  network.runUntilIdle();
  assert.deepEqual([app.count, app.fate], [250, "fin"]);
  const other = bed();
  other.stream.pass(new Uint8Array(0), [], true);
  other.network.runUntilIdle();
  assert.equal(other.app.fate, "fin");
});

Deno.test("tunnel: early bytes and their end are written first", () => {
  const early = pattern(3000);
  const here = bed({ bufferBytes: 1000, early, earlyEnd: true });
  assertSameBytes(here.app.bytes, early);
  assert.equal(here.app.fate, "fin");
  assert.equal(here.stream.released, 3000);
  here.app.end();
  here.network.runUntilIdle();
  assert.deepEqual(here.outcomes, [null]);
});

Deno.test("tunnel: without room nothing is read; with room reading continues", () => {
  const here = bed();
  const { network, stream, app, socket } = here;
  stream.room = 1000;
  const bytes = pattern(50_000);
  app.send(bytes).end();
  network.runUntilIdle();
  assert.deepEqual([stream.sent.length, here.up, socket.unread], [1000, 1000, 49_000]);
  stream.room = 100_000;
  stream.handler.onSendReady();
  network.runUntilIdle();
  assertSameBytes(Uint8Array.from(stream.sent), bytes);
  assert.equal(stream.sentEnd, true);
});

Deno.test("tunnel: the socket fails in the middle of a pass: one reset, one outcome, nothing more is written", () => {
  const here = bed();
  const { network, stream, app } = here;
  network.failWrites(here.socket);
  stream.pass(pattern(500), Array(500).fill(1));
  network.runUntilIdle();
  assert.deepEqual(stream.resets, [ErrorCode.CONNECT_ERROR]);
  assert.deepEqual([here.outcomes, app.count], [[null], 0]);
});

Deno.test("tunnel: the socket fails: INTERNAL_ERROR, and the reason is reported", () => {
  const here = bed();
  const message = "Connection timed out (os error 110)";
  here.network.breakStream(here.socket, { by: "system", how: "timeout", code: "ETIMEDOUT", message });
  here.network.runUntilIdle();
  assert.deepEqual(here.stream.resets, [ErrorCode.INTERNAL_ERROR]);
  assert.deepEqual(here.outcomes, [`receive: io error: ${message}`]);
});

for (const downstream of [true, false]) {
  const code = downstream ? ErrorCode.CONNECT_ERROR : ErrorCode.NO_ERROR;
  Deno.test(`tunnel: the ${downstream ? "client" : "server"} has ended and then resets: ${ErrorCode[code]}`, () => {
    const here = bed({ downstream });
    here.app.send("all").end();
    here.network.runUntilIdle();
    here.app.reset();
    here.network.runUntilIdle();
    assert.deepEqual([here.stream.sentEnd, here.stream.resets, here.outcomes], [true, [code], [null]]);
  });
}

Deno.test("tunnel: a socket that fails while bytes are pending", () => {
  const here = bed({ bufferBytes: 1000 });
  const { network, stream, app } = here;
  app.stopReading();
  stream.pass(pattern(3000), [3000]);
  app.reset();
  network.runUntilIdle();
  assert.deepEqual([stream.resets, here.outcomes], [[ErrorCode.CONNECT_ERROR], [null]]);
});

for (const downstream of [true, false]) {
  const side = downstream ? "client's" : "server's";
  Deno.test(`tunnel: reset of the stream while the ${side} application has bytes to read`, () => {
    const here = bed({ bufferBytes: 1000, downstream });
    const { network, stream, app } = here;
    app.stopReading();
    stream.pass(pattern(3000), [3000], true);
    stream.broken({ code: ErrorCode.NO_ERROR });
    network.runUntilIdle();
    assert.equal(here.outcomes.length, downstream ? 0 : 1);
    app.goOnReading();
    network.runUntilIdle();
    // A client gets the whole answer; a server gets a reset, as its caller has ended.
    assert.deepEqual([app.fate, app.count === 3000], downstream ? ["fin", true] : ["reset", false]);
    assert.deepEqual(here.outcomes, [null]);
  });
}

Deno.test("tunnel: the connection breaks: the application sees RST, also with bytes pending", () => {
  const here = bed({ bufferBytes: 1000, downstream: true });
  here.app.stopReading();
  here.stream.pass(pattern(3000), [3000], true);
  here.stream.broken({ by: "transport", code: ErrorCode.INTERNAL_ERROR });
  here.network.runUntilIdle();
  here.app.goOnReading();
  here.network.runUntilIdle();
  assert.equal(here.app.fate, "reset");
  assert.equal(here.outcomes.length, 1);
});

Deno.test("tunnel: cut resets both without notifying the owner, and later events have no effect", () => {
  const here = bed();
  const { network, stream, app, tunnel } = here;
  tunnel.cut();
  tunnel.cut();
  stream.handler.onSendReady();
  stream.handler.onData(new Uint8Array(5), 0, 5);
  network.runUntilIdle();
  assert.deepEqual([stream.resets, app.fate, here.outcomes], [[ErrorCode.CONNECT_ERROR], "reset", []]);
});

Deno.test("tunnel: both ends at once, in either order of events", () => {
  for (const first of ["app", "peer"] as const) {
    const here = bed();
    if (first === "app") here.app.end();
    here.stream.pass(pattern(10), [10], true);
    if (first === "peer") here.app.end();
    here.network.runUntilIdle();
    assert.deepEqual([here.stream.sentEnd, here.app.fate, here.outcomes], [true, "fin", [null]]);
  }
});

Deno.test("tunnel EN-01 to EN-09: who ended it and how, as the owner is notified", () => {
  const ONE = pattern(1);
  const ways: [name: string, end: (here: Bed) => void, outbound: string, inbound: string][] = [
    [
      "the socket first",
      (here) => (here.app.end(), here.network.step(), here.stream.pass(ONE, [1], true)),
      "client fin",
      "server fin",
    ],
    ["the stream first", (here) => (here.stream.pass(ONE, [1], true), here.app.end()), "server fin", "client fin"],
    ["the socket resets", ({ app }) => app.reset(), "client rst", "server rst"],
    [
      "the system ends the socket, EN-06",
      (here) => {
        here.network.breakStream(here.socket, {
          by: "system",
          how: "timeout",
          code: "ETIMEDOUT",
          message: "timed out",
        });
      },
      "client timeout",
      "server timeout",
    ],
    [
      "the stream passes on a reset",
      ({ stream }) => stream.broken({ code: ErrorCode.CONNECT_ERROR }),
      "server rst",
      "client rst",
    ],
    ["the peer cancels", ({ stream }) => stream.broken({ code: ErrorCode.CANCEL }), "peer rst", "peer rst"],
    ["the connection is lost", ({ stream }) => stream.broken({ by: "transport" }), "peer error", "peer error"],
    ["the peer sends GOAWAY", ({ stream }) => stream.broken({ frame: "GOAWAY" }), "peer goaway", "peer goaway"],
    ["we end the connection", ({ stream }) => stream.broken({ by: "us" }), "us error", "us error"],
    ["a limit", ({ stream }) => stream.broken({ by: "us", code: ErrorCode.ENHANCE_YOUR_CALM }), "us limit", "us limit"],
  ];
  for (const [name, end, outbound, inbound] of ways) {
    for (const downstream of [true, false]) {
      const here = bed({ downstream });
      end(here);
      here.network.runUntilIdle();
      assert.equal(here.ended, downstream ? outbound : inbound, `${name}, ${downstream ? "outbound" : "inbound"}`);
    }
  }
});
