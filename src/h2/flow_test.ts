import { strict as assert } from "node:assert";
import fc from "fast-check";
import { HeldBytes } from "./held_bytes.ts";
import { ConnectionCredit, MAX_WINDOW, ReceiveWindow, SendWindow } from "./flow.ts";

Deno.test("a send window may go negative and must not exceed 2^31-1", () => {
  const window = new SendWindow(65_535);
  window.spend(65_535);
  assert.equal(window.change(-10_000), true);
  assert.equal(window.available, -10_000);
  assert.equal(window.change(MAX_WINDOW), true);
  assert.equal(window.change(10_001), false);
  assert.equal(window.change(10_000), true);
  assert.equal(window.available, MAX_WINDOW);
});

Deno.test("a receive window announces credit from half of its size on, and nothing twice", () => {
  const window = new ReceiveWindow(100);
  assert.equal(window.take(101), false);
  assert.equal(window.take(100), true);
  assert.equal(window.returnCredit(49), 0);
  assert.equal(window.returnCredit(1), 50);
  assert.equal(window.available, 50);
  assert.equal(window.returnCredit(0), 0);
});

Deno.test("a receive window announces credit of half of what the peer has left, at least 64 KiB", () => {
  const window = new ReceiveWindow(4 << 20);
  let announced = 0;
  const returnCredit = (length: number) => {
    assert.equal(window.take(length), true);
    return announced = window.returnCredit(length);
  };
  while (announced === 0) returnCredit(10_000);
  assert.ok(announced >= (4 << 20) / 3 && announced < (4 << 20) / 3 + 20_000, `${announced}`);
  // The application holds nearly all of the window: released bytes are credited in small steps.
  assert.equal(window.take((4 << 20) - 100_000), true);
  assert.equal(window.returnCredit(65_535), 0);
  assert.equal(window.returnCredit(1), 65_536);
});

Deno.test("a receive window of 0 announces nothing", () => {
  const window = new ReceiveWindow(0);
  assert.equal(window.returnCredit(0), 0);
});

Deno.test("credit is conserved: what the peer may send, what is not announced and what is held add up", () => {
  fc.assert(fc.property(
    fc.integer({ min: 2, max: 1000 }),
    fc.nat(2000),
    fc.array(fc.record({ receive: fc.boolean(), n: fc.nat(500) })),
    (size, bound, steps) => {
      const credit = new ConnectionCredit(size, bound, new HeldBytes(Infinity), "peer");
      let held = 0, announced = 0, taken = 0;
      for (const { receive, n } of steps) {
        if (!receive) {
          const released = Math.min(n, held);
          held -= released;
          announced += credit.release(released);
        } else if (credit.window.take(n)) {
          taken += n;
          held += n;
          announced += credit.deliver(n);
        }
        assert.equal(credit.window.available, size - taken + announced);
        assert.ok(credit.window.available <= size);
        // Streams hold at most the limit and what was in flight.
        assert.ok(held <= bound + size);
      }
      announced += credit.release(held);
      assert.ok(size - credit.window.available <= Math.max(1, size / 2), "half of the window always comes back");
    },
  ));
});

Deno.test("a receive window can be limited below its size, and the withheld credit is announced later", () => {
  const window = new ReceiveWindow(1000);
  assert.equal(window.take(1000), true);
  // 900 are withheld, and half of the other 100 is worth a frame.
  assert.equal(window.returnCredit(949, 100), 0);
  assert.equal(window.returnCredit(51, 100), 100);
  assert.equal(window.take(100), true);
  assert.equal(window.returnCredit(100, 100), 100);
  assert.equal(window.take(100), true);
  // Without the limit the whole window is available again.
  assert.equal(window.returnCredit(100), 1000);
  assert.equal(window.available, 1000);
});
