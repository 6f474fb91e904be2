import { strict as assert } from "node:assert";
import { traceSampler } from "./trace_sampling.ts";

Deno.test("trace sampling: the part of the traces, the same for the same id", () => {
  const ids = Array.from(
    { length: 4000 },
    (_, i) => `${"0".repeat(19)}${(i * 0x1_0624dd2f1a9f).toString(16).padStart(13, "0").slice(-13)}`,
  );
  for (const ratio of [0, 0.25, 1]) {
    const sample = traceSampler(ratio);
    const chosen = ids.filter(sample);
    assert.deepEqual(ids.filter(sample), chosen);
    assert.ok(Math.abs(chosen.length / ids.length - ratio) < 0.02, `${chosen.length} of ${ids.length}`);
  }
});
