import { strict as assert } from "node:assert";
import { SampleRing } from "./sample_ring.ts";

Deno.test("samples: rows are in the order of the names, oldest first", () => {
  const ring = new SampleRing(["time", "open"], 3);
  assert.deepEqual([ring.size, ring.rows()], [0, []]);
  assert.deepEqual(ring.push({ open: 7, time: 1 }), [1, 7]);
  ring.push({ time: 2, open: 8 });
  assert.deepEqual([ring.size, ring.rows()], [2, [[1, 7], [2, 8]]]);
});

Deno.test("samples: a full ring replaces the oldest", () => {
  const ring = new SampleRing(["time"], 3);
  for (let time = 1; time <= 8; time++) ring.push({ time });
  assert.deepEqual([ring.size, ring.rows()], [3, [[6], [7], [8]]]);
});
