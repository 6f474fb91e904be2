/** Adds up what the test processes said, and words the end of a test run. */
import type { TestCase } from "./junit.ts";

/** What one `deno test` process left behind. */
export interface Run {
  /** For the reader: the files it was given. */
  readonly label: string;
  readonly cases: readonly TestCase[];
  /** What it left on the machine, in words. */
  readonly left: readonly string[];
  /** Exit status; null where the process was killed for taking too long. */
  readonly code: number | null;
}

interface Report {
  readonly passed: number;
  readonly skipped: readonly TestCase[];
  /** One line each. */
  readonly failures: readonly string[];
}

export function summarize(runs: readonly Run[]): Report {
  const cases = runs.flatMap((run) => run.cases);
  const failures = runs.flatMap(failuresOf);
  const passed = cases.filter((one) => one.outcome === "passed").length;
  if (passed === 0 && failures.length === 0) failures.push("no test was executed");
  return { passed, failures, skipped: cases.filter((one) => one.outcome === "skipped" && !isWordless(one)) };
}

function isWordless(one: TestCase): boolean {
  return one.outcome === "skipped" && reasonOf(one) === null;
}

/** Whether `deno test --filter` picks a test: `/pattern/` is a regular expression, anything else a part of the name. */
export function isPicked(name: string, filter: string): boolean {
  const pattern = /^\/(.+)\/$/s.exec(filter)?.[1];
  return pattern === undefined ? name.includes(filter) : new RegExp(pattern).test(name);
}

function failuresOf(run: Run): string[] {
  const failures = run.cases.filter((one) => one.outcome === "failed").map((one) => `${one.file}: ${one.name}`);
  failures.push(...run.cases.filter(isWordless).map((one) => `${one.file}: ${one.name}: skipped without a reason`));
  // Who is killed cannot clean up.
  if (run.code === null) failures.push(`${run.label}: took too long and was killed`);
  else if (run.left.length > 0) failures.push(`${run.label}: left behind: ${run.left.join(", ")}`);
  // A type error, a throw outside of any test, or a crash: the process knows, its report does not.
  if (run.code !== null && run.code !== 0 && failures.length === 0) {
    failures.push(`${run.label}: ended with status ${run.code}`);
  }
  return failures;
}

/** The text between the brackets that `lab/needs.ts` appends to a name: reason, semicolon, cure. */
function reasonOf(one: TestCase): string | null {
  return /\[skipped: (.+)\]$/s.exec(one.name)?.[1] ?? null;
}

/** The closing lines. The last one is `N passed, N failed`, with `, N skipped` where there are any. */
export function closingLines(report: Report): string[] {
  const lines: string[] = [];
  if (report.skipped.length > 0) lines.push("", "Skipped:", ...bySkipReason(report.skipped));
  if (report.failures.length > 0) lines.push("", "Failed:", ...report.failures.map((line) => `  ${line}`));
  const tail = report.skipped.length > 0 ? `, ${report.skipped.length} skipped` : "";
  lines.push("", `${report.passed} passed, ${report.failures.length} failed${tail}`);
  return lines;
}

function bySkipReason(skipped: readonly TestCase[]): string[] {
  return skipped.map((one) => {
    return `  ${one.file}: ${one.name.replace(/ ?\[skipped: .+\]$/s, "")}: ${reasonOf(one)}`;
  });
}
