import { strict as assert } from "node:assert";
import { MemoryKeeper } from "./memory_keeper.ts";

const MB = 1 << 20;

/** The result of the next full check. The ones before it release nothing more. */
function fullCheck(keeper: MemoryKeeper, resident: number) {
  for (let second = 1; second < 20; second++) keeper.check(resident);
  return keeper.check(resident);
}

Deno.test("memory keeper: growth by 8 MiB triggers a release of the heap at once, less does not", () => {
  const keeper = new MemoryKeeper(80 * MB);
  assert.equal(keeper.check(87 * MB), null);
  assert.equal(keeper.check(88 * MB), "heap");
  keeper.released("heap", 82 * MB);
  assert.equal(keeper.check(89 * MB), null);
  assert.equal(keeper.check(90 * MB), "heap");
});

Deno.test("memory keeper: a full check after growth releases the text as well", () => {
  const keeper = new MemoryKeeper(80 * MB);
  assert.equal(fullCheck(keeper, 87 * MB), null);
  keeper.released("heap", 88 * MB);
  assert.equal(fullCheck(keeper, 88 * MB), "heap and text");
  keeper.released("heap and text", 82 * MB);
  assert.equal(fullCheck(keeper, 89 * MB), null);
});

Deno.test("memory keeper: while memory stays high after a burst, releases are repeated at growing intervals", () => {
  const keeper = new MemoryKeeper(80 * MB);
  keeper.released("heap and text", 1000 * MB);
  const tries: number[] = [];
  for (let number = 1; number <= 2000; number++) {
    const release = keeper.check(1000 * MB);
    if (release === null) continue;
    assert.equal(release, "heap and text");
    tries.push(number / 20);
    keeper.released(release, 1000 * MB);
  }
  assert.deepEqual(tries, [3, 9, 21, 45, 75]);
});

Deno.test("memory keeper: at its smallest size the process is left alone, whatever came before", () => {
  const keeper = new MemoryKeeper(80 * MB);
  assert.equal(keeper.check(500 * MB), "heap");
  keeper.released("heap", 84 * MB);
  for (let number = 0; number < 1000; number++) assert.equal(keeper.check(84 * MB), null);
});
