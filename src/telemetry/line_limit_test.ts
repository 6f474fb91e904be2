import { strict as assert } from "node:assert";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import { LineLimit } from "./line_limit.ts";
import { testLog } from "./testkit/log.ts";

function bench() {
  const scheduler = new MemoryScheduler();
  const log = testLog();
  const limit = new LineLimit(scheduler);
  const scope = log.log.scope("ztunnel::proxy");
  return { scheduler, limit, scope, lines: () => log.lines().map((line) => line.split("\t").slice(1).join(" ")) };
}

Deno.test("line limit: ten lines of a cause in a minute, then the number of suppressed ones", () => {
  const { scheduler, limit, scope, lines } = bench();
  for (let i = 0; i < 1000; i++) limit.warn("closed", scope, `closed ${i}`, { peer: i });
  limit.error("other", scope, "something else");
  assert.equal(lines().length, 11);
  assert.equal(lines()[9], "warn proxy closed 9 peer=9");
  assert.equal(lines()[10]!.trimEnd(), "error proxy something else");
  scheduler.advance(59_999);
  assert.equal(lines().length, 11);
  scheduler.advance(1);
  assert.deepEqual(lines().slice(11), ["warn proxy more lines like this were left out: closed 999 left_out=990"]);
  limit.warn("closed", scope, "again");
  assert.equal(lines().length, 13, "in the next minute there is room again");
});

Deno.test("line limit: a cause without further lines is removed", () => {
  const { scheduler, limit, scope, lines } = bench();
  for (let i = 0; i < 11; i++) limit.warn("closed", scope, "closed");
  scheduler.advance(10 * 60_000);
  assert.equal(lines().length, 11);
  assert.equal(scheduler.busy, false);
  for (let i = 0; i < 11; i++) limit.warn("closed", scope, "closed");
  assert.equal(lines().length, 21);
  limit.close();
  assert.match(lines()[21]!, /left_out=1/);
  limit.close();
  scheduler.advance(60_000);
  assert.equal(lines().length, 22, "no timer is left");
  for (let i = 0; i < 20; i++) limit.warn("closed", scope, "at the end");
  assert.equal(lines().length, 42, "lines are not limited after close");
});

Deno.test("line limit: causes beyond the limit share one count", () => {
  const { limit, scope, lines } = bench();
  for (let i = 0; i < 1000; i++) limit.warn(`cause ${i}`, scope, "x");
  assert.equal(lines().length, 64 + 10);
});
