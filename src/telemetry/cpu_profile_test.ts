import { strict as assert } from "node:assert";
import { type CpuProfile, CpuProfiler } from "./cpu_profile.ts";

const stopped = (profiler: CpuProfiler) => new Promise<CpuProfile>((resolve) => profiler.stop(resolve));

/** Runs long enough for the profiler to sample it. */
function recognizable(samples: number): number {
  let sum = 0;
  for (const end = performance.now() + samples; performance.now() < end;) sum += Math.sqrt(sum + 1);
  return sum;
}

Deno.test("the profiler samples running code between start and stop", async () => {
  const profiler = new CpuProfiler();
  assert.deepEqual(await stopped(profiler), []);
  profiler.start(200);
  profiler.start(200);
  recognizable(50);
  const profile = await stopped(profiler);
  const [root] = profile;
  assert.equal(root?.callFrame.functionName, "(root)");
  const found = profile.find(({ callFrame }) => callFrame.functionName === "recognizable");
  assert.ok(found !== undefined && found.hitCount > 0);
  assert.match(found.callFrame.url, /cpu_profile_test\.ts$/);
  const ids = new Set(profile.map(({ id }) => id));
  for (const { children } of profile) for (const child of children) assert.ok(ids.has(child));
  assert.deepEqual(await stopped(profiler), []);
});
