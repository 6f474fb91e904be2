/** Between HTTP/2 and a stream of bytes: when the transport flushes, sets its timer and closes. */
import { strict as assert } from "node:assert";
import type { Connection, Stream } from "../h2/seam.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import type { NetworkPath } from "../net/network_path.ts";
import type { MemoryDuplex } from "../net/testkit/memory_duplex.ts";
import { makeHboneLoop } from "./hbone_loop.ts";
import { HostNetwork } from "./testkit/network.ts";
import { TestSocket } from "./testkit/socket.ts";
import { Transport } from "./transport.ts";

/** A connection whose results the test sets. */
class FakeConnection implements Connection {
  limitInFlight(): void {}
  noteRoundTrip(): void {}
  limitGathered(): void {}
  alignOutput(): void {}
  readonly role = "client";
  readonly streamCount = 0;
  readonly canOpen = false;
  readonly draining = false;
  readonly mayResetSoon = false;
  ended = false;
  /** Passes that the last bytes still need. */
  passes = 0;
  output = "";
  deadline: number | null = null;
  readonly received: string[] = [];
  readonly ticks: number[] = [];
  reason: string | null = null;
  onReceive: () => void = () => {};
  onLost: () => void = () => {};

  receive(bytes: Uint8Array, start: number, end: number): void {
    this.received.push(new TextDecoder().decode(bytes.slice(start, end)));
    this.onReceive();
  }
  get hasPendingWork(): boolean {
    return this.passes > 0;
  }
  resume(): void {
    this.passes--;
    this.received.push("resumed");
  }
  transportEnded(): void {}
  abandon(): void {}
  transportFailed(reason: string, byUs = false): void {
    this.reason = byUs ? `by us: ${reason}` : reason;
    this.onLost();
    this.ended = true;
  }
  open(): Stream | null {
    return null;
  }
  flushTo(to: { write(bytes: Uint8Array): number }): "empty" | "blocked" | "failed" {
    if (this.output === "") return "empty";
    const taken = to.write(new TextEncoder().encode(this.output));
    if (taken < 0) return "failed";
    this.output = this.output.slice(taken);
    return this.output === "" ? "empty" : "blocked";
  }
  ping(): void {}
  drain(): void {}
  nextDeadline(): number | null {
    return this.ended ? null : this.deadline;
  }
  tick(now: number): void {
    this.ticks.push(now);
    this.deadline = null;
  }
}

interface Bed {
  readonly memory: MemoryNetwork;
  readonly host: HostNetwork;
  readonly connection: FakeConnection;
  readonly transport: Transport;
  readonly far: TestSocket;
  readonly near: MemoryDuplex;
  closed: number;
}

function bed(deadline: number | null = null, bufferBytes = 1000, path: NetworkPath | null = null): Bed {
  const memory = new MemoryNetwork({ bufferBytes });
  const host = new HostNetwork(memory, 1);
  const [near, other] = memory.pair();
  Object.assign(near, { path });
  const connection = new FakeConnection();
  connection.deadline = deadline;
  const made = { closed: 0 };
  const transport = new Transport(makeHboneLoop(host), near, connection, () => made.closed++);
  transport.start();
  return Object.assign(made, { memory, host, connection, transport, far: new TestSocket(memory, other), near });
}

Deno.test("transport: the output of a turn is written at once at its end", () => {
  const { memory, connection, transport, far } = bed();
  connection.output = "a";
  transport.flushSoon();
  transport.flushSoon();
  connection.output += "b";
  assert.equal(far.text, "");
  memory.runUntilIdle();
  assert.equal(far.text, "ab");
});

Deno.test("transport: bytes that do not fit are written when there is room", () => {
  const { memory, connection, transport, far } = bed();
  far.stopReading();
  connection.output = "x".repeat(2500);
  transport.flushSoon();
  memory.runUntilIdle();
  assert.equal(connection.output.length, 1500);
  transport.flushSoon();
  far.goOnReading();
  memory.runUntilIdle();
  assert.equal(far.count, 2500);
});

Deno.test("transport: a connection with pending work has one pass in each turn, and reads on after the last one", () => {
  const { memory, connection, transport, far } = bed();
  far.send("a");
  memory.runUntilIdle();
  connection.onReceive = () => connection.passes = 3;
  far.send("b");
  memory.step();
  connection.onReceive = () => {};
  far.send("c");
  const before = memory.turn;
  transport.onReadable();
  assert.deepEqual(connection.received, ["a", "b"]);
  memory.runUntilIdle();
  assert.deepEqual(connection.received, ["a", "b", "resumed", "resumed", "resumed", "c"]);
  assert.ok(memory.turn - before >= 4, "each in a turn of its own");
});

Deno.test("transport: the end of the peer is handled after the bytes before it", () => {
  const here = bed();
  const { memory, connection, far } = here;
  connection.onReceive = () => connection.passes = 2;
  far.send("all there is");
  far.end();
  memory.runUntilIdle();
  assert.deepEqual(connection.received, ["all there is", "resumed", "resumed"]);
  assert.equal(connection.reason, "the peer closed the connection");
  assert.equal(here.closed, 1);
});

Deno.test("transport: the streams of a failed connection are notified in several turns, its socket is closed at once", () => {
  const here = bed();
  const { memory, connection, transport, near } = here;
  memory.runUntilIdle();
  connection.onLost = () => connection.passes = 3;
  transport.onFailure({ by: "peer", how: "reset", code: "ECONNRESET", message: "reset" });
  assert.equal(near.failure?.code, "CLOSED");
  assert.equal(here.closed, 0);
  transport.flushSoon();
  memory.runUntilIdle();
  assert.deepEqual(connection.received, ["resumed", "resumed", "resumed"]);
  assert.equal(here.closed, 1);
  assert.equal(here.host.held.timers, 0);
});

Deno.test("transport: the path of a closed socket is not measured, since another socket may have its descriptor", () => {
  let measured = 0;
  const path: NetworkPath = {
    measure: () => {
      measured++;
      return { roundTrip: 100, deliveryRate: 100 };
    },
    countSegments: () => null,
    limitUnsent() {},
  };
  const { memory, connection, transport } = bed(null, 1000, path);
  connection.output = "x".repeat(5000);
  transport.flushSoon();
  memory.runUntilIdle();
  assert.equal(measured, 1, "the socket was blocked");
  memory.advance(20);
  transport.flushSoon();
  connection.onLost = () => connection.passes = 3;
  transport.onFailure({ by: "peer", how: "reset", code: "ECONNRESET", message: "reset" });
  memory.runUntilIdle();
  assert.equal(measured, 1);
});

Deno.test("transport: a peer whose bytes cause much work is read in small portions", () => {
  const { memory, connection, far } = bed(null, 100_000);
  const sizes = () => connection.received.filter((text) => text !== "resumed").map((text) => text.length);
  far.send("x".repeat(60_000));
  memory.runUntilIdle();
  assert.deepEqual(sizes(), [16_640, 43_360]);
  connection.onReceive = () => connection.passes = 1;
  far.send("x".repeat(40_000));
  memory.runUntilIdle();
  assert.deepEqual(sizes().slice(2), [40_000]);
  far.send("x".repeat(40_000));
  memory.runUntilIdle();
  assert.deepEqual(sizes().slice(3), [16_640, 16_640, 6720]);
});

Deno.test("transport: the timer follows the deadline of the connection, also when that moves forward", () => {
  const { memory, connection, far } = bed(10_000);
  connection.onReceive = () => connection.deadline = 4000;
  memory.advance(1000);
  far.send("x");
  memory.advance(2999);
  assert.deepEqual(connection.ticks, []);
  memory.advance(1);
  assert.deepEqual(connection.ticks, [4000]);
});

Deno.test("transport: a connection that has ended closes after its last frames", () => {
  const here = bed();
  const { memory, connection, transport, far } = here;
  connection.output = "goodbye";
  connection.ended = true;
  transport.connectionEnded();
  memory.runUntilIdle();
  assert.equal(far.text, "goodbye");
  assert.equal(far.fate, "fin");
  assert.equal(here.closed, 1);
  assert.equal(here.host.held.timers, 0);
});

Deno.test("transport: the last frames wait a second for a peer that does not read, longer for one that reads slowly", () => {
  const here = bed();
  const { memory, connection, transport, far } = here;
  far.stopReading();
  connection.output = "x".repeat(3500);
  transport.flushSoon();
  memory.runUntilIdle();
  connection.ended = true;
  transport.connectionEnded();
  transport.deadlineMoved();
  for (let i = 0; i < 2; i++) {
    memory.advance(999);
    far.goOnReading();
    memory.step();
    far.stopReading();
  }
  assert.equal(here.closed, 0);
  memory.advance(1000);
  assert.equal(here.closed, 1);
  assert.ok(far.count >= 2000 && far.count < 3500, String(far.count));
  assert.equal(here.host.held.timers, 0);
});

Deno.test("transport: an ended connection receives no more bytes", () => {
  const { memory, connection, transport, far } = bed();
  far.stopReading();
  connection.output = "x".repeat(1500);
  transport.flushSoon();
  connection.onReceive = () => {
    connection.ended = true;
    transport.connectionEnded();
  };
  memory.runUntilIdle();
  far.send("one");
  memory.runUntilIdle();
  far.send("two");
  memory.runUntilIdle();
  assert.deepEqual(connection.received, ["one"]);
});

Deno.test("transport: end, reset and failed writes are reported once, and the socket is closed", () => {
  for (const how of ["end", "reset", "write"] as const) {
    const here = bed();
    const { memory, connection, transport, far, near } = here;
    if (how === "end") far.end();
    else if (how === "reset") far.reset();
    else {
      memory.failWrites(near);
      connection.output = "x";
      transport.flushSoon();
    }
    memory.runUntilIdle();
    const reason = { end: "the peer closed the connection", reset: /reset by peer/, write: /Broken pipe/ }[how];
    if (typeof reason === "string") assert.equal(connection.reason, reason);
    else assert.match(connection.reason!, reason);
    assert.equal(here.closed, 1);
    transport.close();
    assert.equal(here.closed, 1);
  }
});
