import { strict as assert } from "node:assert";
import { HeapTrace } from "./heap_trace.ts";

const AFTER = "MB, pooled: 0.0 MB, 1.18 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; ";

Deno.test("soak: a heap is what the last full collection of each isolate left", () => {
  const trace = new HeapTrace();
  assert.deepEqual([trace.used, trace.allocated], [null, null]);
  trace.read(`[150:0x562a897e1000]       13 ms: Scavenge 3.4 (4.4) -> 3.0 (5.0) ${AFTER}`);
  assert.deepEqual([trace.used, trace.allocated], [null, 5 * 1.048576]);
  trace.read(`[150:0x562a897e1000]       53 ms: Mark-Compact 9.4 (14.4) -> 8.0 (15.0) ${AFTER}`);
  trace.read(`[150:0x55bd81e2a000]       60 ms: Mark-Compact (reduce) 5.4 (7.4) -> 4.5 (7.0) ${AFTER}`);
  trace.read("2026-11-25T16:41:00.000000Z\tinfo\tapp\tMark-Compact -> 1 (1) MB");
  trace.read(`[150:0x562a897e1000]       99 ms: Scavenge 9.9 (15.2) -> 9.1 (16.0) ${AFTER}`);
  assert.deepEqual([trace.used, trace.allocated], [12.5 * 1.048576, 23 * 1.048576]);
});
