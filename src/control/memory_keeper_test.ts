import { strict as assert } from "node:assert";
import { MemoryKeeper } from "./memory_keeper.ts";

const MB = 1 << 20;

Deno.test("memory keeper: growth by 8 MiB triggers a release, less does not", () => {
  const keeper = new MemoryKeeper(80 * MB);
  assert.equal(keeper.check(87 * MB), "nothing");
  assert.equal(keeper.check(88 * MB), "heap");
  keeper.released(82 * MB);
  assert.equal(keeper.check(89 * MB), "nothing");
  assert.equal(keeper.check(90 * MB), "heap");
});

Deno.test("memory keeper: while memory stays high after a burst, releases are repeated at growing intervals", () => {
  const keeper = new MemoryKeeper(80 * MB);
  assert.equal(keeper.check(1000 * MB), "heap");
  keeper.released(1000 * MB);
  const tries: number[] = [];
  for (let number = 1; number <= 2000; number++) {
    const release = keeper.check(1000 * MB);
    if (release === "nothing") continue;
    assert.equal(release, "heap and text");
    tries.push(number);
    keeper.released(1000 * MB);
  }
  assert.deepEqual(tries, [60, 180, 420, 900, 1500]);
});

Deno.test("memory keeper: at its smallest size the process is left alone, whatever came before", () => {
  const keeper = new MemoryKeeper(80 * MB);
  assert.equal(keeper.check(500 * MB), "heap");
  keeper.released(84 * MB);
  for (let number = 0; number < 1000; number++) assert.equal(keeper.check(84 * MB), "nothing");
});
