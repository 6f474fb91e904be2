import { strict as assert } from "node:assert";
import { Profiler } from "./profiler.ts";
import type { StackProfile } from "./stack_profile.ts";

const stopped = (profiler: Profiler) => new Promise<StackProfile>((resolve) => profiler.stop(resolve));

/** On a busy machine the thread that takes the samples may not run for a while. */
const ATTEMPTS = 50;

/** Runs long enough for the profiler to sample it. */
function recognizable(milliseconds: number): number {
  let sum = 0;
  for (const end = performance.now() + milliseconds; performance.now() < end;) sum += Math.sqrt(sum + 1);
  return sum;
}

/** Profiles {@link recognizable} until it was sampled. */
async function sampled(profiler: Profiler): Promise<StackProfile> {
  for (let attempt = 1;; attempt++) {
    profiler.start("cpu", 200);
    profiler.start("cpu", 200);
    recognizable(50);
    const profile = await stopped(profiler);
    const names = profile.filter(({ count }) => count > 0).map(({ callFrame }) => callFrame.functionName);
    if (names.includes("recognizable") || attempt === ATTEMPTS) return profile;
  }
}

Deno.test("the profiler samples running code between start and stop", async () => {
  const profiler = new Profiler();
  assert.deepEqual(await stopped(profiler), []);
  const profile = await sampled(profiler);
  const [root] = profile;
  assert.equal(root?.callFrame.functionName, "(root)");
  const found = profile.find(({ callFrame }) => callFrame.functionName === "recognizable");
  assert.ok(found !== undefined && found.count > 0);
  assert.match(found.callFrame.url, /profiler_test\.ts$/);
  const ids = new Set(profile.map(({ id }) => id));
  for (const { children } of profile) for (const child of children) assert.ok(ids.has(child));
  assert.deepEqual(await stopped(profiler), []);
});

function allocate(into: unknown[]): void {
  for (let i = 0; i < 20_000; i++) into.push({ i, text: `${i}` });
}

function allocateAndDrop(): number {
  let length = 0;
  for (let i = 0; i < 200_000; i++) length += [i, i + 1, i + 2].map(String).join().length;
  return length;
}

Deno.test("the profiler tells memory that is in use from memory that was freed", async () => {
  const bytesOf = (profile: StackProfile, name: string) =>
    profile.filter(({ callFrame, count }) => callFrame.functionName === name && count > 0)
      .reduce((sum, { bytes }) => sum + bytes, 0);
  const kept: unknown[] = [];
  const profiler = new Profiler();
  profiler.start("live-memory", 1024);
  allocate(kept);
  const live = await stopped(profiler);
  assert.ok(bytesOf(live, "allocate") > 100_000);
  assert.equal(live[0]?.callFrame.functionName, "(root)");
  profiler.start("all-memory", 1024);
  allocateAndDrop();
  assert.ok(bytesOf(await stopped(profiler), "allocateAndDrop") > 1_000_000);
  assert.equal(kept.length, 20_000);
});
