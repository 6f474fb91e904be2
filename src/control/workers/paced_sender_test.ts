import { strict as assert } from "node:assert";
import { TestClock } from "../../identity/testkit/clock.ts";
import { PacedSender } from "./paced_sender.ts";

Deno.test("paced sender: at once what is little, a thousand in lots, in their order", async () => {
  const clock = new TestClock(0);
  const sent: number[] = [];
  const sender = new PacedSender<number>(clock, (message) => sent.push(message));
  sender.send(-1);
  assert.deepEqual(sent, [-1]);
  await clock.advance(5);
  for (let i = 0; i < 1000; i++) sender.send(i);
  assert.equal(sent.length, 51);
  await clock.advance(5);
  assert.equal(sent.length, 101);
  sender.send(1000);
  await clock.advance(100);
  assert.deepEqual(sent, Array.from({ length: 1002 }, (_, index) => index - 1));
  assert.equal(clock.timers, 0);
});

Deno.test("paced sender: closed, it sends nothing more", async () => {
  const clock = new TestClock(0);
  const sent: number[] = [];
  const sender = new PacedSender<number>(clock, (message) => sent.push(message));
  for (let i = 0; i < 150; i++) sender.send(i);
  sender.close();
  await clock.advance(100);
  assert.deepEqual([sent.length, clock.timers], [50, 0]);
});
