import { strict as assert } from "node:assert";
import { RepeatedFailures } from "./repeated_failures.ts";

Deno.test("xds 2.11: of attempts that fail in the same way, the first and each twentieth are warnings", () => {
  const failures = new RepeatedFailures();
  const levels = Array.from({ length: 41 }, () => failures.next({ level: "warn", message: "refused" }));
  const warnings = levels.flatMap(({ level, message }, index) => level === "warn" ? [`${index} ${message}`] : []);
  assert.deepEqual(warnings, [
    "0 refused",
    "20 refused; so did the last 20 attempts",
    "40 refused; so did the last 40 attempts",
  ]);
});

Deno.test("xds 2.11: another failure is a warning at once, and the first one then is, too", () => {
  const failures = new RepeatedFailures();
  const levels = ["a", "a", "b", "b", "a"].map((message) => failures.next({ level: "warn", message }).level);
  assert.deepEqual(levels, ["warn", "debug", "warn", "debug", "warn"]);
});
