import { strict as assert } from "node:assert";
import { MemoryScheduler } from "./testkit/memory_scheduler.ts";
import { ShedReport } from "./shed_report.ts";

Deno.test("observed O29: shed connections are reported at once, then as a sum every ten seconds if there are any", () => {
  const time = new MemoryScheduler();
  const reports: (readonly [at: number, count: number, code: string])[] = [];
  const report = new ShedReport(time, (count, code) => reports.push([time.now(), count, code]));
  report.add(3, "EMFILE");
  report.add(2, "EMFILE");
  time.advance(9_000);
  report.add(4, "ENFILE");
  time.advance(1_000);
  assert.deepEqual(reports, [[0, 3, "EMFILE"], [10_000, 6, "ENFILE"]]);
  time.advance(30_000);
  report.add(0, "ENOBUFS");
  assert.deepEqual(reports.slice(2), [[40_000, 0, "ENOBUFS"]]);
});

Deno.test("closing reports what is left, once", () => {
  const time = new MemoryScheduler();
  const reports: number[] = [];
  const report = new ShedReport(time, (count) => reports.push(count));
  report.add(1, "EMFILE");
  report.add(2, "EMFILE");
  report.close();
  report.close();
  time.advance(60_000);
  assert.deepEqual(reports, [1, 2]);
});
