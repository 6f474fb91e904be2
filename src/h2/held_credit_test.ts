/** Received bytes of several connections of one thread, and the credit of each. */
import { strict as assert } from "node:assert";
import { H2Connection } from "./connection.ts";
import { ErrorCode } from "./seam.ts";
import { HeldBytes } from "./held_bytes.ts";
import { defaultOptions } from "./limits.ts";
import { type H2Memory, makeH2Memory } from "./memory.ts";
import { CONNECT, EndpointLog, Sink, StreamLog } from "./testkit/pair.ts";

const BOUND = 200_000;
const WINDOWS = { streamWindow: 1 << 20, connectionWindow: 100_000 };

/** A client of `peer` and the server's side of its connection. All servers share one memory. */
class Caller {
  readonly log = new EndpointLog();
  readonly stream = new StreamLog();
  readonly #client = new H2Connection(defaultOptions("client"), new EndpointLog(), makeH2Memory(), 0);
  readonly #server: H2Connection;

  constructor(memory: H2Memory, peer: string) {
    this.#server = new H2Connection({ ...defaultOptions("server"), ...WINDOWS, peer }, this.log, memory, 0);
    this.exchange();
    this.stream.stream = this.#client.open(CONNECT, this.stream)!;
    this.exchange();
    this.log.streams[0]!.autoRelease = false;
  }

  exchange(): void {
    for (let round = 0; round < 4; round++) {
      for (const [from, to] of [[this.#client, this.#server], [this.#server, this.#client]] as const) {
        const sink = new Sink();
        from.flushTo(sink);
        const bytes = sink.take();
        if (bytes.length > 0 && !to.ended) to.receive(bytes, 0, bytes.length, 0);
        while (to.hasPendingWork) to.resume(0);
      }
    }
  }

  /** Sends as much as the windows allow, up to `most` bytes. */
  send(most: number): number {
    const before = this.arrived;
    for (let left = most; left > 0;) {
      const room = this.stream.stream.reserve(left, 1 << 20);
      if (room === null) break;
      this.stream.stream.commit(room.total, false);
      left -= room.total;
      this.exchange();
    }
    return this.arrived - before;
  }

  /** Bytes that reached the server's application. */
  get arrived(): number {
    return this.log.streams[0]!.bytes;
  }

  close(): void {
    this.#server.transportEnded("gone");
  }

  take(length: number): void {
    this.log.streams[0]!.stream.release(length);
    this.exchange();
  }
}

Deno.test("held credit: a peer that fills the memory for received bytes gets no credit, other peers do", () => {
  const memory = makeH2Memory(undefined, new HeldBytes(BOUND));
  const greedy = new Caller(memory, "greedy"), other = new Caller(memory, "other");
  const filled = greedy.send(1_000_000);
  assert.ok(filled > BOUND && filled <= BOUND + WINDOWS.connectionWindow, `${filled}`);
  assert.equal(greedy.send(1000), 0);
  for (let round = 0; round < 50; round++) {
    assert.equal(other.send(50_000), 50_000);
    other.take(50_000);
  }
  greedy.take(120_000);
  assert.ok(Math.abs(greedy.send(1_000_000) - 120_000) < 66_000, "as much as was read may be sent again");
});

Deno.test("held credit: a peer that fills the memory twice by further connections loses those connections", () => {
  const memory = makeH2Memory(undefined, new HeldBytes(BOUND));
  const callers = Array.from({ length: 20 }, () => new Caller(memory, "greedy"));
  for (const caller of callers) caller.send(1_000_000);
  assert.ok(memory.held.total <= 2 * BOUND + callers.length * 66_000, `${memory.held.total}`);
  const ended = callers.filter(({ log }) => log.end !== null);
  assert.ok(ended.length > 10);
  for (const { log } of ended) {
    assert.equal(log.end!.code, ErrorCode.ENHANCE_YOUR_CALM);
    assert.match(log.end!.reason, /applications have not taken \d+ bytes of this peer.*HELD_BYTES_MAX/);
  }
  const honest = new Caller(memory, "honest");
  assert.equal(honest.send(40_000), 40_000);
});

Deno.test("held credit: bytes of a connection that has ended do not count", () => {
  const memory = makeH2Memory(undefined, new HeldBytes(BOUND));
  const callers = ["a", "b"].map((peer) => new Caller(memory, peer));
  for (const caller of callers) caller.send(1_000_000);
  for (const caller of callers) caller.close();
  assert.deepEqual([memory.held.total, memory.held.holders], [0, 0]);
});
