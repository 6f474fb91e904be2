import assert from "node:assert/strict";
import { paced } from "./pace.ts";

/** Blocks the loop. */
function burn(ms: number): void {
  for (const end = performance.now() + ms; performance.now() < end;);
}

Deno.test("paced: long work lets timers run in between and returns its result", async () => {
  let turns = 0;
  let running = true;
  const count = () => {
    turns++;
    if (running) setTimeout(count, 0);
  };
  setTimeout(count, 0);
  const result = await paced((function* () {
    for (let i = 0; i < 64; i++) {
      burn(1);
      yield;
    }
    return "done";
  })());
  running = false;
  assert.equal(result, "done");
  assert.ok(turns >= 2, `${turns} turns of others during 64 ms of work`);
  await new Promise((resolve) => setTimeout(resolve, 1));
});

Deno.test("paced: short work is done in one turn", async () => {
  let others = 0;
  const timer = setTimeout(() => others++, 0);
  await paced((function* () {
    for (let i = 0; i < 15; i++) yield;
  })());
  assert.equal(others, 0);
  clearTimeout(timer);
});

Deno.test("paced: an exception of the work rejects", async () => {
  await assert.rejects(
    // deno-lint-ignore require-yield -- it throws before
    paced((function* (): Generator<void> {
      throw new RangeError("broken");
    })()),
    RangeError,
  );
});
