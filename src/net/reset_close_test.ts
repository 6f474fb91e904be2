import { strict as assert } from "node:assert";
import { closeWithReset } from "./reset_close.ts";
import type { SocketLoop } from "./socket_loop.ts";
import { MemoryNetwork } from "./testkit/memory_network.ts";

/** No socket has this number, so options that are set for it are refused. */
const FD = 1_000_000;

/** Closes with so many segments in flight at each look, the last number for ever. */
function close(...inFlight: number[]) {
  const network = new MemoryNetwork();
  const released: number[] = [];
  const lingering: SocketLoop["lingering"] = new Set();
  const loop = {
    lingering,
    after: network.after.bind(network),
    rewatch: () => {},
    release: (fd: number) => void released.push(fd),
  };
  closeWithReset(loop, FD, () => inFlight.length > 1 ? inFlight.shift()! : inFlight[0]!);
  return { network, released, lingering };
}

Deno.test("a connection with nothing in flight is reset at once", () => {
  const { released, lingering } = close(0);
  assert.deepEqual(released, [FD]);
  assert.equal(lingering.size, 0);
});

Deno.test("a connection is reset when its peer has received what was in flight", () => {
  const { network, released, lingering } = close(7, 3, 0);
  network.advance(1);
  assert.deepEqual(released, []);
  network.advance(2);
  assert.deepEqual(released, [FD]);
  assert.equal(lingering.size, 0);
});

Deno.test("a connection whose peer acknowledges nothing is reset after a second", () => {
  const { network, released } = close(1);
  network.advance(1000);
  assert.deepEqual(released, []);
  network.advance(100);
  assert.deepEqual(released, [FD]);
});

Deno.test("a connection that waits for its reset is closed with its loop, once", () => {
  const { network, released, lingering } = close(1);
  for (const socket of lingering) socket.closeNow();
  network.advance(5000);
  assert.deepEqual(released, [FD]);
});
