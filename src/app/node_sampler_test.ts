import { strict as assert } from "node:assert";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import { sumFigures, type WorkerFigures } from "../telemetry/worker_figures.ts";
import { NodeSampler } from "./node_sampler.ts";

function bed() {
  const scheduler = new MemoryScheduler();
  const asked: ((figures: WorkerFigures) => void)[] = [];
  const sampler = new NodeSampler({
    clock: scheduler,
    workers: 2,
    figures: () => new Promise((resolve) => asked.push(resolve)),
    process: () => ({ cpu: 1.5, resident: 9000 }),
  });
  const answer = async (busy: number) => {
    asked.shift()!({ ...sumFigures([]), busy });
    await Promise.resolve();
  };
  const column = (name: string) => sampler.rows().map((row) => row[(sampler.names as string[]).indexOf(name)]);
  return { scheduler, sampler, asked, answer, column };
}

Deno.test("node sampler: a sample each five seconds, for those who follow too", async () => {
  const { scheduler, sampler, answer, column } = bed();
  const followed: (readonly number[])[] = [];
  const end = sampler.follow((row) => followed.push(row));
  sampler.start();
  await answer(1.23456789);
  scheduler.advance(5000);
  await answer(2);
  assert.deepEqual([column("busy"), column("cpu"), column("workers")], [[1.235, 2], [1.5, 1.5], [2, 2]]);
  assert.deepEqual(followed, sampler.rows());
  end();
  scheduler.advance(5000);
  await answer(3);
  assert.deepEqual([followed.length, sampler.rows().length], [2, 3]);
  sampler.stop();
});

Deno.test("node sampler: workers that do not answer are not asked again, and nothing is asked after stop", async () => {
  const { scheduler, sampler, asked, answer } = bed();
  sampler.start();
  scheduler.advance(20_000);
  assert.equal(asked.length, 1);
  await answer(1);
  scheduler.advance(5000);
  assert.equal(asked.length, 1);
  sampler.stop();
  scheduler.advance(20_000);
  assert.equal(asked.length, 1);
});

Deno.test("node sampler: keeps an hour", async () => {
  const { scheduler, sampler, answer, column } = bed();
  sampler.start();
  for (let i = 0; i < 730; i++) {
    await answer(i);
    scheduler.advance(5000);
  }
  assert.deepEqual([sampler.rows().length, column("busy")[0], column("busy").at(-1)], [720, 10, 729]);
  sampler.stop();
});
