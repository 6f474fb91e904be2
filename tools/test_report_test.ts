import { strict as assert } from "node:assert";
import type { TestCase } from "./junit.ts";
import { closingLines, isPicked, type Run, summarize } from "./test_report.ts";

const passed: TestCase = { file: "a_test.ts", name: "one", outcome: "passed" };
const failed: TestCase = { file: "a_test.ts", name: "two", outcome: "failed" };
const skipped: TestCase = {
  file: "a_test.ts",
  name: "three [skipped: nginx is missing; apt-get install nginx]",
  outcome: "skipped",
};
const run = (code: number | null, ...cases: TestCase[]): Run => ({ label: "unit tests", code, cases, left: [] });

Deno.test("test report: the last line counts, and stands alone", () => {
  assert.deepEqual(closingLines(summarize([run(0, passed), run(0, passed)])), ["", "2 passed, 0 failed"]);
});

Deno.test("test report: skips come with reason and cure", () => {
  assert.deepEqual(closingLines(summarize([run(0, passed, skipped)])), [
    "",
    "Skipped:",
    "  a_test.ts: three: nginx is missing; apt-get install nginx",
    "",
    "1 passed, 0 failed, 1 skipped",
  ]);
});

Deno.test("test report: a skip without a reason is a failure", () => {
  const report = summarize([run(0, passed, { ...skipped, name: "three" })]);
  assert.deepEqual(report.failures, ["a_test.ts: three: skipped without a reason"]);
  assert.deepEqual(report.skipped, []);
});

Deno.test("test report: failures are named once", () => {
  assert.deepEqual(summarize([run(1, passed, failed)]).failures, ["a_test.ts: two"]);
});

Deno.test("test report: what no test case shows still counts: type errors, crashes, time", () => {
  assert.deepEqual(summarize([run(1, passed)]).failures, ["unit tests: ended with status 1"]);
  assert.deepEqual(summarize([run(139)]).failures, ["unit tests: ended with status 139"]);
  assert.deepEqual(summarize([run(null, passed)]).failures, ["unit tests: took too long and was killed"]);
});

Deno.test("test report: what is left behind is a failure of its own, unless the process was killed", () => {
  const left = ["process 7 (sleep)", "file zt-1"];
  assert.deepEqual(summarize([{ ...run(0, passed), left }]).failures, [
    "unit tests: left behind: process 7 (sleep), file zt-1",
  ]);
  assert.deepEqual(summarize([{ ...run(1, failed), left }]).failures.length, 2);
  assert.deepEqual(summarize([{ ...run(null, passed), left }]).failures, ["unit tests: took too long and was killed"]);
});

Deno.test("test report: a run of nothing failed", () => {
  assert.deepEqual(summarize([]).failures, ["no test was executed"]);
  assert.deepEqual(summarize([run(0, skipped)]).failures, ["no test was executed"]);
});

Deno.test("test report: a filter is a part of the name or a pattern", () => {
  assert.equal(isPicked("config C9: ports", "C9"), true);
  assert.equal(isPicked("config C9: ports", "c9"), false);
  assert.equal(isPicked("config C9: ports", "/C\\d:/"), true);
  assert.equal(isPicked("config C10: ports", "/C\\d:/"), false);
});
