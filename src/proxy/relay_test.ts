import { strict as assert } from "node:assert";
import { assertSameBytes } from "../net/testkit/contract_kit.ts";
import { makeLoop } from "../net/loop.ts";
import { HostNetwork } from "../hbone/testkit/network.ts";
import { TestSocket } from "../hbone/testkit/socket.ts";
import type { Duplex, Ending } from "../net/duplex.ts";
import { MemoryNetwork, type MemoryNetworkOptions } from "../net/testkit/memory_network.ts";
import { pattern } from "../h2/testkit/pair.ts";
import type { CopyOutcome } from "./copy.ts";
import type { EndedBy } from "../telemetry/connection_ending.ts";
import { Relay } from "./relay.ts";

interface Bed {
  readonly network: MemoryNetwork;
  readonly client: TestSocket;
  readonly server: TestSocket;
  /** The proxy's ends. */
  readonly near: Duplex;
  readonly far: Duplex;
  readonly relay: Relay;
  up: number;
  down: number;
  outcomes: CopyOutcome[];
  halfCloses: number;
  endedBy: EndedBy | null;
}

function bed(
  options: MemoryNetworkOptions = {},
  before: (client: TestSocket, server: TestSocket) => void = () => {},
): Bed {
  const network = new MemoryNetwork(options);
  const loop = makeLoop(new HostNetwork(network, 1));
  const [clientEnd, near] = network.pair(options);
  const [far, serverEnd] = network.pair(options);
  const client = new TestSocket(network, clientEnd), server = new TestSocket(network, serverEnd);
  before(client, server);
  const counts = { up: 0, down: 0, outcomes: [] as CopyOutcome[], halfCloses: 0, endedBy: null as EndedBy | null };
  const meter = {
    addReceived: (count: number) => void (counts.up += count),
    addSent: (count: number) => void (counts.down += count),
  };
  const relay = new Relay(loop, near, far, meter, {
    onHalfClosed: () => void counts.halfCloses++,
    onCopied: (outcome, { by }) => {
      counts.outcomes.push(outcome);
      counts.endedBy = by;
    },
  });
  relay.start();
  network.runUntilIdle();
  return Object.assign(counts, { network, client, server, near, far, relay });
}

Deno.test("dataplane CP-01 relay: 1000 pieces of 32,000 bytes each way, intact and counted", () => {
  const here = bed();
  const { network, client, server } = here;
  const up = pattern(32_000_000, 1), down = pattern(32_000_000, 2);
  for (let i = 0; i < 1000; i++) {
    client.send(up.subarray(i * 32_000, (i + 1) * 32_000));
    server.send(down.subarray(i * 32_000, (i + 1) * 32_000));
  }
  client.end();
  server.end();
  network.runUntilIdle();
  assertSameBytes(server.bytes, up);
  assertSameBytes(client.bytes, down);
  assert.deepEqual([here.up, here.down, here.outcomes], [up.length, down.length, [null]]);
});

Deno.test("relay: bytes and an end that arrived before it began", () => {
  const here = bed({}, (client, server) => {
    client.send("question").end();
    server.send("greeting").end();
    client.duplex.start(client);
  });
  assert.deepEqual([here.server.text, here.server.fate], ["question", "fin"]);
  assert.deepEqual([here.client.text, here.client.fate], ["greeting", "fin"]);
  assert.deepEqual(here.outcomes, [null]);
});

Deno.test("relay: a reader that stops reading stops the writer, and memory does not grow", () => {
  const here = bed({ bufferBytes: 10_000 });
  const { network, client, server } = here;
  server.stopReading();
  client.send(pattern(500_000)).end();
  network.runUntilIdle();
  // Two sockets' buffers and the bytes of one read.
  assert.ok(client.unsent >= 500_000 - 30_000, String(client.unsent));
  assert.equal(here.up, 10_000);
  server.goOnReading();
  network.runUntilIdle();
  assert.equal(server.count, 500_000);
  assert.equal(server.fate, "fin");
});

Deno.test("relay: the end follows the bytes that a slow reader has not read", () => {
  const here = bed({ bufferBytes: 100 });
  const { network, client, server } = here;
  server.stopReading();
  client.send(pattern(150)).end();
  network.runUntilIdle();
  server.goOnReading();
  network.runUntilIdle();
  assert.deepEqual([server.count, server.fate, here.outcomes.length], [150, "fin", 0]);
  server.end();
  network.runUntilIdle();
  assert.deepEqual([client.fate, here.outcomes], ["fin", [null]]);
});

const TIMED_OUT: Ending = {
  by: "system",
  how: "timeout",
  code: "ETIMEDOUT",
  message: "Connection timed out (os error 110)",
};

for (const side of ["client", "server"] as const) {
  const isClient = side === "client";

  Deno.test(`relay: the ${side} resets, with and without bytes in flight`, () => {
    for (const waiting of [0, 100_000]) {
      const here = bed({ bufferBytes: 1000 });
      const other = isClient ? here.server : here.client;
      other.stopReading();
      here[side].send(pattern(waiting + 1));
      here.network.runUntilIdle();
      here[side].reset();
      here.network.runUntilIdle();
      other.goOnReading();
      here.network.runUntilIdle();
      assert.equal(other.fate, "reset");
      assert.deepEqual(here.outcomes, [null]);
    }
  });

  Deno.test(`dataplane 4: relay: the ${side} does not answer keepalive: the line has the reason, the other side sees RST`, () => {
    const here = bed();
    here.network.breakStream(isClient ? here.near : here.far, TIMED_OUT);
    here.network.runUntilIdle();
    assert.deepEqual(here.outcomes, [
      `${isClient ? "send" : "receive"}: io error: Connection timed out (os error 110)`,
    ]);
    assert.equal((isClient ? here.server : here.client).fate, "reset");
  });
}

Deno.test("relay: a server that has answered in full and resets: a slow client gets all of the answer", () => {
  const here = bed({ bufferBytes: 1000 });
  const { network, client, server } = here;
  server.send(pattern(1000)).end();
  client.stopReading();
  network.runUntilIdle();
  server.reset();
  network.runUntilIdle();
  assert.deepEqual(here.outcomes, [null]);
  client.goOnReading();
  network.runUntilIdle();
  assert.deepEqual([client.count, client.fate], [1000, "fin"]);
});

Deno.test("relay: a write that fails ends both, once", () => {
  const here = bed();
  here.network.failWrites(here.far, TIMED_OUT);
  here.client.send("x");
  here.network.runUntilIdle();
  assert.deepEqual(here.outcomes, ["receive: io error: Connection timed out (os error 110)"]);
  assert.notEqual(here.near.failure, null);
  here.relay.cut();
  assert.equal(here.outcomes.length, 1);
});

Deno.test("relay: cut resets both, and the owner is not notified", () => {
  const here = bed();
  here.relay.cut();
  here.relay.cut();
  here.network.runUntilIdle();
  assert.deepEqual([here.client.fate, here.server.fate, here.outcomes], ["reset", "reset", []]);
});

Deno.test("relay: it is half-closed between the two ends, and ended by the side that ended first", () => {
  for (const [first, second] of [["client", "server"], ["server", "client"]] as const) {
    const here = bed();
    here[first].end();
    here.network.runUntilIdle();
    assert.deepEqual([here.relay.isHalfClosed, here.halfCloses, here.endedBy], [true, 1, null]);
    here[second].end();
    here.network.runUntilIdle();
    assert.deepEqual([here.relay.isHalfClosed, here.halfCloses, here.endedBy], [true, 1, first]);
  }
});
