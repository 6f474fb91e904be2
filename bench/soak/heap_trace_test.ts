import { strict as assert } from "node:assert";
import { HeapTrace } from "./heap_trace.ts";

const AFTER = "MB, pooled: 0.0 MB, 1.18 / 0.00 ms (average mu = 1.000, current mu = 1.000) allocation failure; ";

Deno.test("soak: the heap of an isolate is what its last full collection left", () => {
  const trace = new HeapTrace();
  trace.read(`[150:0x562a897e1000]       13 ms: Scavenge 3.4 (4.4) -> 3.0 (5.2) ${AFTER}`);
  assert.deepEqual(trace.megabytes, []);
  trace.read(`[150:0x562a897e1000]       53 ms: Mark-Compact 9.4 (14.4) -> 8.0 (15.2) ${AFTER}`);
  trace.read(`[150:0x55bd81e2a000]       60 ms: Mark-Compact (reduce) 5.4 (7.4) -> 4.5 (7.2) ${AFTER}`);
  trace.read("2026-11-25T16:41:00.000000Z\tinfo\tapp\tMark-Compact -> 1 (");
  trace.read(`[150:0x562a897e1000]       99 ms: Mark-Compact 9.9 (15.2) -> 8.1 (15.2) ${AFTER}`);
  assert.deepEqual(trace.megabytes, [8.1, 4.5]);
});
