/** The vectors of `docs/spec/identity-spire.md` 9.3. */
import { strict as assert } from "node:assert";
import { Priority } from "./fetch_queue.ts";
import { testSubject } from "./testkit/authority.ts";
import { ManagerBench, type PendingRequest, unreachable } from "./testkit/manager.ts";

const { Background, Warmup, RealTime } = Priority;

async function prioritized(): Promise<ManagerBench> {
  const bench = new ManagerBench({ concurrency: 1 });
  for (
    const [name, priority] of [["id1", Background], ["id2", Background], ["id3", Warmup], ["id4", RealTime]] as const
  ) {
    bench.request(name, priority);
    await bench.clock.advance(1);
  }
  return bench;
}

Deno.test("manager, identity M1 M2 M3: order of fetches and of renewals", async () => {
  const bench = await prioritized();
  await bench.clock.advance(5000);
  const order = ["id1", "id4", "id3", "id2"];
  assert.deepEqual(bench.authority.names, order);
  await bench.clock.advance(50_000 - 5000 - 4 - 1);
  assert.equal(bench.authority.calls.length, 4);
  await bench.clock.advance(10_000);
  assert.deepEqual(bench.authority.names, [...order, ...order]);
});

Deno.test("manager, identity M4: a connection does not wait for prefetches", async () => {
  const bench = new ManagerBench({ concurrency: 1 });
  for (let i = 1; i <= 4; i++) bench.request(`warmup-${i}`, Warmup);
  const answer = bench.request("realtime");
  await bench.clock.advance(2000 - 1);
  assert.equal(answer.at, null);
  await bench.clock.advance(1);
  assert.equal(answer.at, 2000);
  assert.deepEqual(bench.authority.names.slice(0, 2), ["warmup-1", "realtime"]);
});

Deno.test("manager, identity M5: a request raises the priority of a queued prefetch", async () => {
  const bench = new ManagerBench({ concurrency: 1 });
  const answers = [1, 2, 3, 4].map((i) => bench.request(`warmup-${i}`, Warmup));
  const raised = bench.request("warmup-4");
  await bench.clock.advance(2000);
  assert.equal(raised.at, 2000);
  assert.deepEqual(bench.authority.names.slice(0, 2), ["warmup-1", "warmup-4"]);
  await bench.clock.advance(2000);
  assert.ok(answers.every((answer) => answer.value !== null));
  assert.equal(bench.authority.calls.length, 4);
});

Deno.test("manager, identity M6: one fetch for all callers, and all get the same object", async () => {
  const bench = new ManagerBench();
  const answers = Array.from({ length: 4 }, () => bench.request("a"));
  await bench.clock.advance(1000);
  assert.equal(bench.authority.calls.length, 1);
  assert.ok(answers[0]!.value !== null);
  for (const answer of answers) assert.equal(answer.value, answers[0]!.value);
  const later = bench.request("a");
  await bench.clock.advance(0);
  assert.equal(later.value, answers[0]!.value);
});

Deno.test("manager, identity M7: fetches run in parallel", async () => {
  const bench = new ManagerBench({ concurrency: 4 });
  const answers = ["a", "b", "c", "d"].map((name) => bench.request(name));
  await bench.clock.advance(1000);
  assert.deepEqual(answers.map((answer) => answer.at), [1000, 1000, 1000, 1000]);
});

Deno.test("manager, identity M8: an unused manager has no timers after close", () => {
  const bench = new ManagerBench();
  bench.manager.close();
  assert.equal(bench.clock.timers, 0);
});

Deno.test("manager, identity M9: removed while the fetch is pending", async () => {
  const bench = new ManagerBench();
  const answer = bench.request("a");
  bench.manager.remove(testSubject("a"));
  await bench.clock.advance(0);
  assert.equal(answer.error?.message, "the identity is no longer needed");
  assert.equal(bench.manager.size, 0);
  await bench.clock.advance(2000);
  assert.equal(bench.manager.size, 0);
  assert.equal(bench.manager.current(testSubject("a")), null);
});

Deno.test("manager, identity M10: an available certificate is removed", async () => {
  const bench = new ManagerBench();
  await bench.certificate("a");
  assert.equal(bench.manager.size, 1);
  bench.manager.remove(testSubject("a"));
  assert.equal(bench.manager.size, 0);
  await bench.clock.advance(200_000);
  assert.equal(bench.authority.calls.length, 1);
  assert.deepEqual(bench.changes.at(-1), [testSubject("a"), null]);
});

Deno.test("manager, identity M11: all callers get the error until the retry", async () => {
  const bench = new ManagerBench();
  bench.authority.failure = unreachable;
  const first = bench.request("a");
  await bench.clock.advance(1000);
  assert.equal(first.error, unreachable);
  bench.authority.failure = null;
  const second = bench.request("a");
  await bench.clock.advance(0);
  assert.equal(second.error, unreachable);
  assert.equal(bench.authority.calls.length, 1);
  await bench.clock.advance(3000);
  const third = bench.request("a");
  await bench.clock.advance(0);
  assert.ok(third.value !== null);
});

Deno.test("manager, identity M12: a failed renewal keeps the current certificate", async () => {
  const bench = new ManagerBench();
  const held = await bench.certificate("a");
  bench.authority.failure = unreachable;
  await bench.clock.advance(51_500);
  assert.equal(bench.authority.calls.length, 2);
  assert.equal((await bench.certificate("a")).serial, held.serial);
  assert.deepEqual(bench.lines, [
    `info certificate renewal failed (${unreachable.message}); retaining existing valid certificate until ` +
    "2026-01-01T00:01:41.000Z; next retry at 2026-01-01T00:00:53.000Z",
    "warn certificate expires at 2026-01-01T00:01:41.000Z, 50% of its life or less are left, and it could not be " +
    `renewed (${unreachable.message}); then connections of this identity fail`,
  ]);
});

Deno.test("manager, identity M13: current() does not start a fetch", async () => {
  const bench = new ManagerBench();
  assert.equal(bench.manager.current(testSubject("a")), null);
  await bench.clock.advance(5000);
  assert.equal(bench.authority.calls.length, 0);
  const held = await bench.certificate("a");
  assert.equal(bench.manager.current(testSubject("a")), held);
});

Deno.test("manager, identity M14: many requests for many identities", async () => {
  const bench = new ManagerBench({ concurrency: 2 });
  Object.assign(bench.authority, { delay: 5, lifetime: 50 });
  const answers: PendingRequest[] = [];
  for (let task = 0; task < 8; task++) {
    for (let i = 0; i < 100; i++) answers.push(bench.request(`id-${(i * 7 + task) % 100}`));
  }
  await bench.clock.advance(2000);
  assert.ok(answers.every((answer) => answer.value !== null));
  assert.equal(bench.manager.size, 100);
});

Deno.test("manager, identity M15: short-lived certificates are renewed", async () => {
  const bench = new ManagerBench();
  Object.assign(bench.authority, { delay: 0, lifetime: 50 });
  const first = await bench.certificate("a");
  await bench.clock.advance(2000);
  const second = await bench.certificate("a");
  assert.notEqual(second.serial, first.serial);
  assert.ok(second.notBefore > first.notBefore);
});

Deno.test("manager, identity M19: a concurrency of 0 is refused", () => {
  assert.throws(
    () => new ManagerBench({ concurrency: 0 }),
    /^RangeError: concurrency cannot be 0, operations would block forever$/,
  );
});

Deno.test("manager, identity M20: delays between failures", async () => {
  const bench = new ManagerBench();
  bench.authority.failure = unreachable;
  bench.authority.delay = 0;
  bench.request("a");
  await bench.clock.advance(700_000);
  const times = bench.callTimes;
  const pauses = times.slice(1).map((time, i) => time - times[i]!);
  assert.deepEqual(pauses.slice(0, 10), [1, 2, 4, 8, 16, 32, 64, 128, 150, 150]);
  assert.equal(
    bench.lines[1],
    `warn certificate fetch failed (${unreachable.message}) and no valid existing certificate; will retry in 2s ` +
      "(backoff capped at 150s)",
  );
});

Deno.test("manager, identity M21: the last retry is at the expiry of the certificate, which is not used any more then", async () => {
  const bench = new ManagerBench();
  const held = await bench.certificate("a"); // until 101 s, half-life at 51 s
  bench.authority.delay = 0;
  bench.authority.failure = unreachable;
  await bench.clock.advance(49_999);
  // 51, +1, +2, +4, +8, +16 = 82, +32 is after the end.
  await bench.clock.advance(50_000);
  assert.deepEqual(bench.callTimes.slice(1), [51, 52, 54, 58, 66, 82]);
  assert.equal((await bench.certificate("a")).serial, held.serial);
  await bench.clock.advance(1);
  assert.equal(bench.callTimes.at(-1), 101);
  assert.equal(bench.manager.current(testSubject("a")), null);
  const answer = bench.request("a");
  await bench.clock.advance(0);
  assert.equal(answer.error, unreachable);
});

Deno.test("manager, identity M22: removed and requested again, the pending fetch is used", async () => {
  const bench = new ManagerBench();
  const first = bench.request("a");
  await bench.clock.advance(500);
  bench.manager.remove(testSubject("a"));
  const second = bench.request("a");
  await bench.clock.advance(500);
  assert.equal(first.error?.message, "the identity is no longer needed");
  assert.equal(second.at, 1000);
  assert.ok(second.value !== null);
  assert.equal(bench.authority.calls.length, 1);
});

Deno.test("manager, identity M23: removed and requested again, it stays managed", async () => {
  const bench = new ManagerBench({ concurrency: 1 });
  bench.request("busy");
  bench.request("a");
  bench.manager.remove(testSubject("a"));
  const again = bench.request("a");
  await bench.clock.advance(2000);
  assert.ok(again.value !== null);
  await bench.clock.advance(60_000);
  assert.equal(bench.authority.names.filter((name) => name === "a").length, 2);
});

Deno.test("manager, identity M24: a failing key does not delay others", async () => {
  const bench = new ManagerBench();
  bench.authority.failure = unreachable;
  bench.request("a");
  await bench.clock.advance(60_000);
  bench.authority.failure = null;
  const other = bench.request("b");
  await bench.clock.advance(1000);
  assert.equal(other.at, 61_000);
});

Deno.test("manager, identity M25 S16: certificates past their half-life are fetched at most once per second", async () => {
  const bench = new ManagerBench();
  Object.assign(bench.authority, { delay: 0, backdate: 60_000 });
  await bench.certificate("a");
  await bench.clock.advance(20_000);
  const times = bench.callTimes;
  assert.ok(times.every((time, i) => i === 0 || time - times[i - 1]! >= 1));
  assert.ok(times.length > 10);
});
