/** Tests of the certificate manager beyond the vectors: request rate, pods, prefetch, clocks, closing. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { IssuedCertificate } from "./authority.ts";
import { Priority } from "./fetch_queue.ts";
import { testId, testSubject } from "./testkit/authority.ts";
import { ManagerBench, START, unreachable } from "./testkit/manager.ts";

const { Background, Warmup, RealTime } = Priority;

Deno.test("manager: eight fetches at the same time by default", async () => {
  const bench = new ManagerBench();
  for (let i = 0; i < 20; i++) bench.request(`id-${i}`);
  await bench.clock.advance(0);
  assert.equal(bench.authority.calls.length, 8);
  await bench.clock.advance(1000);
  assert.equal(bench.authority.calls.length, 16);
});

Deno.test("manager: a success resets the delay after failures", async () => {
  const bench = new ManagerBench();
  Object.assign(bench.authority, { delay: 0, failure: unreachable });
  bench.request("a");
  await bench.clock.advance(4000);
  bench.authority.failure = null;
  await bench.clock.advance(4000);
  assert.deepEqual(bench.callTimes, [0, 1, 3, 7]);
  bench.authority.failure = unreachable;
  await bench.clock.advance(51_000);
  assert.deepEqual(bench.callTimes.slice(4), [57, 58]);
});

Deno.test("manager, identity S26: callers do not get an expired certificate while its renewal is pending", async () => {
  const bench = new ManagerBench();
  await bench.certificate("a"); // until 101 s
  bench.authority.delay = 60_000;
  await bench.clock.advance(100_000);
  assert.equal(bench.authority.calls.length, 2);
  const waiting = bench.request("a");
  await bench.clock.advance(9_000);
  assert.equal(waiting.at, null);
  await bench.clock.advance(1_000);
  assert.equal(waiting.value?.serial, "2");
  assert.equal(bench.authority.calls.length, 2);
});

Deno.test("manager, observed O10: at most one request per second for certificates that expire at once", async () => {
  const bench = new ManagerBench();
  Object.assign(bench.authority, { delay: 0, backdate: 120_000, lifetime: 120_000 + 300 });
  bench.request("a");
  await bench.clock.advance(10_000);
  const times = bench.callTimes;
  assert.ok(times.length <= 11);
  assert.ok(times.every((time, i) => i === 0 || time - times[i - 1]! >= 1));
});

Deno.test("manager, observed O10: removing a certificate does not reset the limit of one request per second", async () => {
  const bench = new ManagerBench();
  bench.authority.delay = 0;
  for (let i = 0; i < 50; i++) {
    bench.request("a");
    await bench.clock.advance(100);
    bench.manager.remove(testSubject("a"));
  }
  assert.deepEqual(bench.callTimes, [0, 1, 2, 3, 4, 5]);
});

Deno.test("manager: the shortest retry delay is one second too", async () => {
  const bench = new ManagerBench({ random: () => 0 });
  Object.assign(bench.authority, { delay: 0, failure: unreachable });
  bench.request("a");
  await bench.clock.advance(3000);
  assert.deepEqual(bench.callTimes, [0, 1, 2.6]);
});

Deno.test("manager, identity S15: an expired certificate is a failed fetch", async () => {
  const bench = new ManagerBench();
  Object.assign(bench.authority, { backdate: 100_000, lifetime: 100_000 });
  const answer = bench.request("a");
  await bench.clock.advance(1000);
  assert.equal(answer.error?.message, `certificate for ${testId("a")} has already expired`);
  assert.equal(bench.manager.statuses()[0]?.state.at, "unavailable");
});

Deno.test("manager, identity S13 S17: a certificate with another id is a failed fetch", async () => {
  const bench = new ManagerBench();
  bench.authority.answersFor = testId("b");
  const answer = bench.request("a");
  await bench.clock.advance(1000);
  assert.equal(answer.error?.message, `did not find expected SAN: ${testId("a")}`);
});

Deno.test("manager: an aborted request rejects with the signal's reason, the others get their certificate", async () => {
  const bench = new ManagerBench();
  const abort = new AbortController();
  const [one, two] = [bench.request("a", RealTime, abort.signal), bench.request("a")];
  await bench.clock.advance(500);
  const reason = new Error("connection is gone");
  abort.abort(reason);
  await bench.clock.advance(500);
  assert.equal(one.error, reason);
  assert.equal(one.at, 500);
  assert.ok(two.value !== null);
  const late = bench.request("b", RealTime, abort.signal);
  await bench.clock.advance(0);
  assert.equal(late.error, reason);
});

Deno.test("manager, identity S24: one certificate per pod with an authority that is keyed by workload", async () => {
  const bench = new ManagerBench();
  bench.authority.keyedBy = "workload";
  const [pod1, pod2] = [testSubject("a", "uid-1"), testSubject("a", "uid-2")];
  const both = Promise.all([pod1, pod2].map((subject) => bench.manager.get(subject, RealTime)));
  await bench.clock.advance(1000);
  assert.notEqual((await both)[0], (await both)[1]);
  assert.deepEqual(bench.authority.calls.map((call) => call.uid), ["uid-1", "uid-2"]);
  bench.manager.remove(pod1);
  assert.equal(bench.manager.current(pod1), null);
  assert.ok(bench.manager.current(pod2) !== null);
});

Deno.test("manager: pods of one identity share a certificate with an authority that is keyed by identity", async () => {
  const bench = new ManagerBench();
  const both = Promise.all(["1", "2"].map((uid) => bench.manager.get(testSubject("a", uid), RealTime)));
  await bench.clock.advance(1000);
  assert.equal((await both)[0], (await both)[1]);
  assert.deepEqual(bench.authority.calls, [{ name: "a", uid: null, at: START }]);
});

Deno.test("manager, identity C11: prefetches beyond 256 are dropped and do not block requests", async () => {
  const bench = new ManagerBench();
  for (let i = 0; i < 257; i++) bench.manager.prefetch(testSubject(`id-${i}`));
  assert.equal(bench.manager.size, 256);
  assert.deepEqual(bench.lines, [
    `info couldn't prefetch: too many prefetches are under way, skipping ${testId("id-256")}`,
  ]);
  const answer = bench.request("id-256");
  await bench.clock.advance(2000);
  assert.ok(answer.value !== null);
  await bench.clock.advance(40_000);
  bench.manager.prefetch(testSubject("another"));
  assert.equal(bench.manager.size, 258);
});

Deno.test("manager: the outcome of each prefetch is logged once", async () => {
  const bench = new ManagerBench();
  bench.manager.prefetch(testSubject("a"));
  bench.manager.prefetch(testSubject("a"));
  await bench.clock.advance(1000);
  bench.manager.prefetch(testSubject("a"));
  bench.authority.failure = unreachable;
  bench.manager.prefetch(testSubject("b"));
  await bench.clock.advance(3000);
  assert.equal(bench.lines[0], `debug prefetched cert for ${testId("a")}`);
  assert.equal(bench.lines[1], `error unable to prefetch cert for "${testId("b")}", skipping, ${unreachable.message}`);
  assert.ok(bench.lines.slice(2).every((line) => line.startsWith("warn certificate fetch failed")));
});

Deno.test("manager: onChange is called for each change, in order", async () => {
  const bench = new ManagerBench();
  bench.authority.failure = unreachable;
  bench.request("a");
  await bench.clock.advance(1000);
  bench.authority.failure = null;
  await bench.clock.advance(60_000);
  bench.manager.remove(testSubject("a"));
  assert.deepEqual(bench.changes.map(([, state]) => state?.at ?? "removed"), [
    "unavailable",
    "available",
    "available",
    "removed",
  ]);
});

Deno.test("manager: a retry is not postponed when the clock is set back", async () => {
  const bench = new ManagerBench();
  bench.authority.failure = unreachable;
  bench.request("a");
  await bench.clock.advance(1000);
  bench.clock.set(START - 24 * 3600 * 1000);
  bench.authority.failure = null;
  // The delay restarts at the time of the last reading of the clock: one second here.
  await bench.clock.advance(3000);
  assert.ok(bench.manager.current(testSubject("a")) !== null);
});

Deno.test("manager: a clock set forward is noticed within five minutes", async () => {
  const bench = new ManagerBench();
  bench.authority.lifetime = 24 * 3600 * 1000;
  await bench.certificate("a");
  bench.clock.set(START + 13 * 3600 * 1000);
  await bench.clock.advance(5 * 60 * 1000 + 1000);
  assert.equal(bench.authority.calls.length, 2);
});

Deno.test("manager: a certificate of ten years is not renewed early", async () => {
  const bench = new ManagerBench();
  bench.authority.lifetime = 10 * 365 * 24 * 3600 * 1000;
  await bench.certificate("a");
  await bench.clock.advance(3600 * 1000);
  assert.equal(bench.authority.calls.length, 1);
});

Deno.test("manager: close rejects waiting requests and later ones", async () => {
  const bench = new ManagerBench();
  await bench.certificate("a");
  const answer = bench.request("b");
  bench.manager.close();
  bench.manager.close();
  const late = bench.request("a");
  bench.manager.prefetch(testSubject("c"));
  await bench.clock.advance(200_000);
  assert.equal(answer.error?.message, "certificate manager is closed");
  assert.equal(late.error?.message, "certificate manager is closed");
  assert.equal(bench.authority.calls.length, 2);
  assert.equal(bench.manager.size, 0);
});

Deno.test("property: at most one request per second and key, all requests end, no caller gets an expired certificate", async () => {
  const names = fc.constantFrom("a", "b", "c");
  const step = fc.oneof(
    fc.record({
      do: fc.constant("request" as const),
      name: names,
      priority: fc.constantFrom(Background, Warmup, RealTime),
    }),
    fc.record({ do: fc.constant("prefetch" as const), name: names }),
    fc.record({ do: fc.constant("remove" as const), name: names }),
    fc.record({ do: fc.constant("fail" as const), fails: fc.boolean() }),
    fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 300, 1000, 7000) }),
    fc.record({
      do: fc.constant("authority" as const),
      delay: fc.constantFrom(0, 100, 3000),
      lifetime: fc.constantFrom(50, 3000, 100_000),
      backdate: fc.constantFrom(0, 2000),
    }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const bench = new ManagerBench({ concurrency: 2 });
      const check = (certificate: IssuedCertificate) => assert.ok(certificate.notAfter > bench.clock.now());
      let pending = 0;
      for (const it of steps) {
        if (it.do === "request") {
          pending++;
          bench.manager.get(testSubject(it.name), it.priority).then(check, () => {}).finally(() => pending--);
        } else if (it.do === "prefetch") bench.manager.prefetch(testSubject(it.name));
        else if (it.do === "remove") bench.manager.remove(testSubject(it.name));
        else if (it.do === "fail") bench.authority.failure = it.fails ? unreachable : null;
        else if (it.do === "authority") Object.assign(bench.authority, it);
        else await bench.clock.advance(it.ms);
      }
      await bench.clock.advance(20_000);
      assert.equal(pending, 0);
      const last = new Map<string, number>();
      for (const { name, at } of bench.authority.calls) {
        assert.ok(at - (last.get(name) ?? -Infinity) >= 1000);
        last.set(name, at);
      }
      bench.manager.close();
      await bench.clock.advance(200_000);
      assert.equal(bench.clock.timers, 0);
    }),
    { numRuns: 40 },
  );
});
