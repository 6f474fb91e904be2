import assert from "node:assert/strict";
import { type DemandLimits, Demands } from "./demands.ts";
import { KnownResources } from "./known_resources.ts";

const LIMITS: DemandLimits = { timeout: 1000, waiters: 5, asked: 4, reopenAfter: 10_000, refreshAfter: 1_000 };

/** Demands with a log of who was told what. */
function rig(limits: Partial<DemandLimits> = {}) {
  const known = new KnownResources(true);
  const demands = new Demands(known, { ...LIMITS, ...limits });
  const told: string[] = [];
  let count = 0;
  const ask = (name: string, now = 0) => {
    const id = ++count;
    return demands.demand(name, now, (answer) => told.push(`${id} ${answer}`));
  };
  return { known, demands, told, ask };
}

Deno.test("xds Q4: two who wait for one name share the request and the answer", () => {
  const { demands, told, ask } = rig();
  demands.opened(0);
  assert.equal(ask("/10.0.0.1"), "ask");
  assert.equal(ask("/10.0.0.1"), "nothing");
  assert.deepEqual(told, []);
  demands.arrived("/10.0.0.1");
  assert.deepEqual(told, ["1 known", "2 known"]);
  assert.equal(demands.waiting, 0);
});

Deno.test("xds Q3: what is held, under its name or another, is known at once", () => {
  const { known, demands, told, ask } = rig();
  demands.opened(0);
  known.remember("ns/host", "v", ["/10.0.0.1"]);
  assert.equal(ask("ns/host"), "nothing");
  assert.equal(ask("/10.0.0.1"), "nothing");
  assert.deepEqual(told, ["1 known", "2 known"]);
});

Deno.test("xds O3: a negative answer is remembered for the stream, and asked for again on the next", () => {
  const { demands, told, ask } = rig();
  demands.opened(0);
  assert.equal(ask("/10.0.0.1"), "ask");
  demands.removed("/10.0.0.1", 1);
  assert.equal(ask("/10.0.0.1", 2), "nothing");
  assert.deepEqual(told, ["1 absent", "2 absent"]);
  demands.closed();
  assert.deepEqual([...demands.opened(3)], []);
  assert.equal(ask("/10.0.0.1", 4), "ask");
});

Deno.test("xds O3: an old negative answer is worth a new stream, once the stream is old enough", () => {
  const { demands, told, ask } = rig();
  demands.opened(0);
  ask("/10.0.0.1");
  demands.removed("/10.0.0.1", 100);
  assert.equal(ask("/10.0.0.1", 10_099), "nothing");
  assert.equal(ask("/10.0.0.1", 10_100), "reopen");
  assert.deepEqual(told, ["1 absent", "2 absent"]);
  demands.closed();
  assert.deepEqual([...demands.opened(10_200)], ["/10.0.0.1"]);
  demands.arrived("/10.0.0.1");
  assert.deepEqual(told, ["1 absent", "2 absent", "3 known"]);
});

Deno.test("xds 2.9: who waits without a stream is listed when one begins", () => {
  const { demands, told, ask } = rig();
  assert.equal(ask("a"), "nothing");
  assert.equal(ask("b"), "nothing");
  assert.deepEqual([...demands.opened(0)], ["a", "b"]);
  assert.equal(ask("a"), "nothing");
  demands.closed();
  demands.arrived("a");
  assert.deepEqual(told, ["1 known", "3 known"]);
  assert.deepEqual([...demands.opened(1)], ["b"]);
});

Deno.test("xds Q5: waiting ends, told apart from a negative answer", () => {
  const { demands, told, ask } = rig();
  demands.opened(0);
  ask("a", 0);
  ask("b", 500);
  ask("a", 600);
  assert.equal(demands.nextExpiry(), 1000);
  demands.expire(999);
  assert.deepEqual(told, []);
  demands.expire(1000);
  assert.deepEqual(told, ["1 expired"]);
  assert.equal(demands.nextExpiry(), 1500);
  demands.expire(9000);
  assert.deepEqual(told, ["1 expired", "2 expired", "3 expired"]);
  assert.equal(demands.nextExpiry(), null);
  // Asked once on this stream; an answer that comes late is for those who ask later.
  assert.equal(ask("a", 9001), "nothing");
  demands.arrived("a");
  assert.equal(told.at(-1), "4 known");
});

Deno.test("a name whose answer could not be used does not make everybody wait", () => {
  const { demands, told, ask } = rig();
  demands.opened(0);
  ask("a");
  demands.arrived("a");
  assert.equal(ask("a"), "nothing");
  assert.deepEqual(told, ["1 known", "2 known"]);
});

Deno.test("a scan cannot make us hold more than the limits", () => {
  const { demands, told, ask } = rig();
  demands.opened(0);
  for (const name of ["a", "b", "c", "d"]) assert.equal(ask(name), "ask");
  assert.equal(ask("e"), "nothing");
  assert.deepEqual(told, ["5 refused"]);
  for (const name of ["a", "b", "c", "d"]) demands.removed(name, 1);
  assert.equal(demands.asked, 4);
  // Names that nobody asked for are not remembered, whatever the server says of them.
  for (let i = 0; i < 100; i++) demands.removed(`other${i}`, 1);
  assert.equal(demands.asked, 4);
  assert.equal(ask("f", 999), "nothing");
  assert.equal(told.at(-1), "6 refused");
  assert.equal(ask("f", 1_000), "reopen", "the others need not wait for long");
  demands.closed();
  assert.equal(demands.asked, 0);
});

Deno.test("waiters have a limit, and names a length", () => {
  const { told, ask } = rig({ waiters: 2 });
  ask("a");
  ask("a");
  ask("a");
  assert.deepEqual(told, ["3 refused"]);
  const long = rig();
  assert.equal(long.ask("x".repeat(1025)), "nothing");
  assert.deepEqual(long.told, ["1 refused"]);
});

Deno.test("closing tells everybody", () => {
  const { demands, told, ask } = rig();
  demands.opened(0);
  ask("a");
  ask("b");
  demands.close();
  assert.deepEqual(told, ["1 refused", "2 refused"]);
  assert.equal(demands.nextExpiry(), null);
});

Deno.test("an alias is known as long as one resource claims it", () => {
  const known = new KnownResources(true);
  known.remember("w1", "1", ["/10.0.0.1", "/10.0.0.2"]);
  known.remember("w2", "1", ["/10.0.0.1"]);
  known.remember("w1", "2", ["/10.0.0.1"]);
  assert.equal(known.has("/10.0.0.2"), false);
  known.forget("w1");
  assert.equal(known.has("/10.0.0.1"), true);
  known.forget("w2");
  known.forget("w2");
  assert.equal(known.has("/10.0.0.1"), false);
  assert.equal(known.size, 0);
});

Deno.test("xds O3: what is held and of no use is asked for again, ever more rarely, and soon after a loss", () => {
  const known = new KnownResources(true);
  known.remember("ns/service", "1", []);
  const demands = new Demands(known, LIMITS);
  const answers: string[] = [];
  const ask = (now: number) => demands.demand("ns/service", now, (answer) => answers.push(answer));
  assert.equal(ask(0), "nothing", "without a stream nobody can say more");
  assert.deepEqual(answers, ["known"]);
  /** The age that a stream must have, and no less. */
  const opensAt = (now: number, age: number) => {
    demands.opened(now);
    assert.equal(ask(now + age - 1), "nothing");
    assert.equal(answers.at(-1), "known");
    const before = answers.length;
    assert.equal(ask(now + age), "reopen");
    assert.equal(answers.length, before, "it waits");
    demands.closed();
    assert.deepEqual([...demands.opened(now + age)], ["ns/service"]);
    demands.arrived("ns/service");
    assert.equal(answers.length, before + 1);
  };
  for (const [index, age] of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000].entries()) opensAt(100_000 * index, age);
  demands.lost();
  opensAt(1_000_000, 1_000);
});
