import { strict as assert } from "node:assert";
import { BufferPool, LARGEST, SMALLEST } from "./buffer_pool.ts";

function make() {
  const events: string[] = [];
  const pool = new BufferPool({
    onCrowded: () => void events.push("crowded"),
    onSurplus: () => {
      if (!events.includes("surplus")) events.push("surplus");
    },
    discard: (buffer) => void events.push(`discard ${buffer.byteLength}`),
  });
  return { pool, events };
}

Deno.test("buffer pool: a buffer is the smallest that holds the requested length", () => {
  const { pool } = make();
  const sizes = [1, SMALLEST, SMALLEST + 1, 65_536, 65_537, 262_145, LARGEST].map((length) =>
    pool.borrow(length).length
  );
  assert.deepEqual(sizes, [SMALLEST, SMALLEST, 16_384, 65_536, 262_144, LARGEST, LARGEST]);
  assert.equal(pool.lentBytes, sizes.reduce((sum, size) => sum + size, 0));
});

Deno.test("buffer pool: a returned buffer is lent again", () => {
  const { pool } = make();
  const first = pool.borrow(5000);
  pool.giveBack(first);
  assert.equal(pool.borrow(6000), first);
  assert.equal(pool.freeBytes, 0);
});

Deno.test("buffer pool: the shared buffer stays the same until a connection keeps it", () => {
  const { pool } = make();
  const shared = pool.shared;
  assert.equal(pool.shared, shared);
  assert.equal(pool.lentBytes, 0);
  assert.equal(pool.keepShared(), shared);
  assert.equal(pool.lentBytes, LARGEST);
  assert.notEqual(pool.shared, shared);
  pool.giveBack(shared);
  assert.equal(pool.lentBytes, 0);
});

Deno.test("buffer pool: with four large buffers lent, each further one requests a flush", () => {
  const { pool, events } = make();
  for (let i = 0; i < 3; i++) pool.borrow(LARGEST);
  assert.deepEqual(events, []);
  pool.borrow(LARGEST);
  pool.borrow(1);
  assert.deepEqual(events, ["crowded", "crowded"]);
  assert.equal(pool.isCrowded, true);
});

Deno.test("buffer pool: after a burst, buffers that were unused between two trims are freed, all but one", () => {
  const { pool, events } = make();
  const lent = Array.from({ length: 3 }, () => pool.borrow(LARGEST));
  for (const buffer of lent) pool.giveBack(buffer);
  assert.deepEqual(events, ["surplus"]);
  assert.equal(pool.trim(), true, "all were in use until now");
  const [a, b] = [pool.borrow(LARGEST), pool.borrow(LARGEST)];
  pool.giveBack(a);
  pool.giveBack(b);
  assert.deepEqual(events, ["surplus"]);
  assert.equal(pool.trim(), true);
  assert.deepEqual(events, ["surplus", `discard ${LARGEST}`]);
  assert.equal(pool.trim(), false);
  assert.deepEqual(events, ["surplus", `discard ${LARGEST}`, `discard ${LARGEST}`]);
  assert.equal(pool.freeBytes, LARGEST);
});
