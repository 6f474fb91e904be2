import { strict as assert } from "node:assert";
import { MemoryKeeper } from "./memory_keeper.ts";

const MB = 1 << 20;

Deno.test("memory keeper: growth by 8 MiB triggers a release, less does not", () => {
  const keeper = new MemoryKeeper(80 * MB);
  assert.equal(keeper.shouldRelease(87 * MB), false);
  assert.equal(keeper.shouldRelease(88 * MB), true);
  keeper.released(82 * MB);
  assert.equal(keeper.shouldRelease(89 * MB), false);
  assert.equal(keeper.shouldRelease(90 * MB), true);
});

Deno.test("memory keeper: while memory stays high after a burst, releases are repeated at growing intervals", () => {
  const keeper = new MemoryKeeper(80 * MB);
  assert.equal(keeper.shouldRelease(1000 * MB), true);
  keeper.released(1000 * MB);
  const tries: number[] = [];
  for (let look = 1; look <= 100; look++) {
    if (!keeper.shouldRelease(1000 * MB)) continue;
    tries.push(look);
    keeper.released(1000 * MB);
  }
  assert.deepEqual(tries, [3, 9, 21, 45, 75]);
});

Deno.test("memory keeper: at its smallest size the process is left alone, whatever came before", () => {
  const keeper = new MemoryKeeper(80 * MB);
  assert.equal(keeper.shouldRelease(500 * MB), true);
  keeper.released(84 * MB);
  for (let look = 0; look < 1000; look++) assert.equal(keeper.shouldRelease(84 * MB), false);
});
