import { strict as assert } from "node:assert";
import { RecordOverhead } from "./record_overhead.ts";

Deno.test("record overhead: 128 KB beyond what data excuses, and no more", () => {
  const overhead = new RecordOverhead();
  assert.equal(overhead.allows(131_072, 0), true);
  assert.equal(overhead.allows(1, 0), false);
  const busy = new RecordOverhead();
  // Data makes up for what came before it, but cannot be saved up.
  assert.equal(busy.allows(131_072, 0), true);
  assert.equal(busy.allows(16_384, 16_384), true);
  assert.equal(busy.allows(131_072, 0), true);
  assert.equal(busy.allows(64, 1), true);
  assert.equal(busy.allows(1, 0), false);
});
