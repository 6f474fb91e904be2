import { strict as assert } from "node:assert";
import { judgeSlope, type Point } from "./slope.ts";

const MINUTES = 45, EVERY_SECONDS = 5;

/** Samples of 45 minutes. */
function samples(valueAt: (hours: number, index: number) => number): Point[] {
  return Array.from({ length: MINUTES * 60 / EVERY_SECONDS }, (_, index) => {
    const hours = index * EVERY_SECONDS / 3600;
    return { hours, value: valueAt(hours, index) };
  });
}

/** From -1 to 1, the same in each run, without a trend. */
function noise(index: number): number {
  return (Math.imul(index + 1, 2654435761) >>> 0) / 2 ** 31 - 1;
}

Deno.test("soak: a constant figure is steady, also with a limit of 0", () => {
  assert.deepEqual(judgeSlope(samples(() => 7), 0), { perHour: 0, uncertainty: 0, verdict: "steady" });
});

Deno.test("soak: a slope above the limit is growth, a slope below it is not", () => {
  const growing = samples((hours, index) => 200 + 30 * hours + 20 * noise(index));
  const { perHour, uncertainty, verdict } = judgeSlope(growing, 20);
  assert.equal(verdict, "grows");
  assert.ok(Math.abs(perHour - 30) <= uncertainty && uncertainty < 10, `${perHour} +- ${uncertainty}`);
  assert.equal(judgeSlope(growing, 40).verdict, "steady");
});

Deno.test("soak: one descriptor that leaks every two minutes is found below 40 that come and go", () => {
  const leaking = samples((hours, index) => 150 + 20 * noise(index) + Math.floor(hours * 30));
  assert.equal(judgeSlope(leaking, 10).verdict, "grows");
  const same = samples((_, index) => 150 + 20 * noise(index));
  assert.equal(judgeSlope(same, 10).verdict, "steady");
});

Deno.test("soak: a sawtooth, as that of a heap between collections, is steady", () => {
  const heap = samples((hours) => 60 + (hours * 60 % 3));
  assert.equal(judgeSlope(heap, 4).verdict, "steady");
});

Deno.test("soak: a figure that only falls does not grow", () => {
  assert.equal(judgeSlope(samples((hours) => 100 - 50 * hours), 1).verdict, "steady");
});

Deno.test("soak: steps that are larger than the slope leave it unclear", () => {
  const steps = samples((hours) => hours < 0.3 ? 100 : hours < 0.5 ? 130 : 105);
  assert.equal(judgeSlope(steps, 2).verdict, "unclear");
});

Deno.test("soak: without samples the slope is unclear", () => {
  assert.equal(judgeSlope([], 1).verdict, "unclear");
  assert.equal(judgeSlope([{ hours: 1, value: 1 }], 1).verdict, "unclear");
});
