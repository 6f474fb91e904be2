import { strict as assert } from "node:assert";
import { LoopLoad } from "./loop_load.ts";
import { Reactor } from "./reactor.ts";

Deno.test("loop load: sums, and the longest turn since it was last read", () => {
  const load = new LoopLoad();
  for (const duration of [1, 5, 2]) load.turnEnded(duration);
  assert.deepEqual([load.turns, load.busy, load.takeLongest(), load.takeLongest()], [3, 8, 5, 0]);
  load.turnEnded(0.5);
  assert.deepEqual([load.turns, load.busy, load.takeLongest()], [4, 8.5, 0.5]);
});

Deno.test("loop load: a reactor with a thread of its own counts what is done for messages between two turns", async () => {
  const reactor = new Reactor({ onShed() {}, onError: (error) => assert.fail(String(error)) });
  reactor.after(0, () => {
    setImmediate(() => {
      const start = performance.now();
      while (performance.now() - start < 20);
      reactor.stop();
    });
  });
  await reactor.run("own-thread");
  assert.ok(reactor.load.takeLongest() >= 20);
});

Deno.test("loop load: messages that take long have turns of the loop between them", async () => {
  const reactor = new Reactor({ onShed() {}, onError: (error) => assert.fail(String(error)) });
  const turns: number[] = [];
  const handle = () => {
    const start = performance.now();
    while (performance.now() - start < 2);
    turns.push(reactor.turn);
    if (turns.length === 4) reactor.stop();
    else setImmediate(handle);
  };
  reactor.after(0, () => void setImmediate(handle));
  await reactor.run("own-thread");
  assert.deepEqual(turns.map((turn) => turn - turns[0]!), [0, 1, 2, 3]);
});

Deno.test("loop load: a reactor counts the time of its turns and not that of its waits", async () => {
  const reactor = new Reactor({ onShed() {}, onError: (error) => assert.fail(String(error)) });
  const waits = 5, from = performance.now();
  let left = waits, worked = 0;
  const work = () => {
    const start = performance.now();
    while (performance.now() - start < 2);
    worked += performance.now() - start;
    if (--left > 0) reactor.after(20, work);
    else reactor.stop();
  };
  reactor.after(20, work);
  await reactor.run("shared");
  const { busy, turns } = reactor.load;
  assert.ok(busy >= worked, `${busy} ms of turns, ${worked} ms of work in them`);
  assert.ok(busy < performance.now() - from);
  assert.ok(turns >= waits);
  assert.ok(reactor.load.takeLongest() >= 2);
});
