import { strict as assert } from "node:assert";
import { RecordOverhead } from "./record_overhead.ts";

Deno.test("record overhead: 128 KB beyond the normal overhead of the data are allowed, and no more", () => {
  const overhead = new RecordOverhead();
  assert.equal(overhead.allows(131_072, 0), true);
  assert.equal(overhead.allows(1, 0), false);
  const busy = new RecordOverhead();
  // Data makes up for overhead that came before it, but does not accumulate as credit.
  assert.equal(busy.allows(131_072, 0), true);
  assert.equal(busy.allows(16_384, 16_384), true);
  assert.equal(busy.allows(131_072, 0), true);
  assert.equal(busy.allows(64, 1), true);
  assert.equal(busy.allows(1, 0), false);
});
