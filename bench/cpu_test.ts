import { strict as assert } from "node:assert";
import { cpuTime, descriptors, parseStat, residentBytes, runTime } from "./cpu.ts";

Deno.test("cpu: a process name with spaces and parentheses does not move the fields", () => {
  const stat = "42 (a) b (c)) S 1 42 42 0 -1 4194560 100 0 0 0 250 75 0 0 20 0 4 0 100 1000 200";
  assert.deepEqual(parseStat(stat), { user: 2.5, system: 0.75 });
});

Deno.test("cpu: all figures are available for this process", () => {
  const { user, system } = cpuTime(Deno.pid);
  assert.ok(user >= 0 && system >= 0);
  assert.ok(runTime(Deno.pid) > 0);
  assert.ok(residentBytes(Deno.pid) > 1e6);
  assert.ok(descriptors(Deno.pid) > 2);
});
