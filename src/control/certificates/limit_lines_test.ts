import { strict as assert } from "node:assert";
import { TestClock } from "../../identity/testkit/clock.ts";
import { limitLines } from "./limit_lines.ts";

function bed() {
  const clock = new TestClock(0);
  const lines: string[] = [];
  const limited = limitLines((level, message) => lines.push(`${level} ${message}`), clock);
  return { clock, lines, ...limited };
}

Deno.test("limited lines: ten lines of one cause in a minute, then the number of those left out", async () => {
  const { clock, lines, write, close } = bed();
  for (let i = 0; i < 1000; i++) write("warn", `malformed message ${i}`, {});
  write("warn", "something else", {});
  assert.equal(lines.length, 11);
  await clock.advance(60_000);
  assert.deepEqual(lines.slice(11), [
    "warn 990 more lines like this were left out within a minute: malformed message 999",
  ]);
  write("warn", "malformed message", {});
  assert.equal(lines.length, 13);
  close();
  assert.equal(clock.timers, 0);
});

Deno.test("limited lines: texts that a peer invents do not evade the limit", async () => {
  const { clock, lines, write, close } = bed();
  for (let i = 0; i < 5000; i++) write("warn", `ignoring a trust bundle for "domain-${i}", which is none`, {});
  assert.equal(lines.length, 10);
  for (let i = 0; i < 5000; i++) write("warn", `${String.fromCodePoint(0x100 + i)} is unknown`, {});
  assert.ok(lines.length < 100, `${lines.length}`);
  await clock.advance(60_000);
  close();
});

Deno.test("limited lines: at the end the number of lines left out is logged; debug lines are not limited", () => {
  const { lines, write, close } = bed();
  for (let i = 0; i < 12; i++) write("error", "the same", {});
  close();
  assert.match(lines.at(-1)!, /^error 2 more lines like this/);
  for (let i = 0; i < 12; i++) write("debug", "the same", {});
  assert.equal(lines.length, 23);
});
