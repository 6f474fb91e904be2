import assert from "node:assert/strict";
import { type LookupLimits, PendingLookups } from "./lookups.ts";
import { KnownResources } from "./known_resources.ts";

const LIMITS: LookupLimits = { timeout: 1000, pending: 5, namesPerStream: 4, reopenAfter: 10_000, refreshAfter: 1_000 };

/** Returns lookups that record their results with a number. */
function rig(limits: Partial<LookupLimits> = {}) {
  const known = new KnownResources(true);
  const lookups = new PendingLookups(known, { ...LIMITS, ...limits });
  const results: string[] = [];
  let count = 0;
  const lookUp = (name: string, now = 0) => {
    const id = ++count;
    return lookups.lookUp(name, now, (result) => results.push(`${id} ${result}`));
  };
  return { known, lookups, results, lookUp };
}

Deno.test("xds Q4: two lookups of one name share the request and the result", () => {
  const { lookups, results, lookUp } = rig();
  lookups.opened(0);
  assert.equal(lookUp("/10.0.0.1"), "request");
  assert.equal(lookUp("/10.0.0.1"), "nothing");
  assert.deepEqual(results, []);
  lookups.found("/10.0.0.1");
  assert.deepEqual(results, ["1 known", "2 known"]);
  assert.equal(lookups.pending, 0);
});

Deno.test("xds Q3: a known name or alias needs no request", () => {
  const { known, lookups, results, lookUp } = rig();
  lookups.opened(0);
  known.set("ns/host", "v", ["/10.0.0.1"]);
  assert.equal(lookUp("ns/host"), "nothing");
  assert.equal(lookUp("/10.0.0.1"), "nothing");
  assert.deepEqual(results, ["1 known", "2 known"]);
});

Deno.test("xds O3: an absent name is kept for the stream, and requested again on the next one", () => {
  const { lookups, results, lookUp } = rig();
  lookups.opened(0);
  assert.equal(lookUp("/10.0.0.1"), "request");
  lookups.removed("/10.0.0.1", 1);
  assert.equal(lookUp("/10.0.0.1", 2), "nothing");
  assert.deepEqual(results, ["1 absent", "2 absent"]);
  lookups.closed();
  assert.deepEqual([...lookups.opened(3)], []);
  assert.equal(lookUp("/10.0.0.1", 4), "request");
});

Deno.test("xds O3: a name that was absent long ago reopens the stream, if that is old enough", () => {
  const { lookups, results, lookUp } = rig();
  lookups.opened(0);
  lookUp("/10.0.0.1");
  lookups.removed("/10.0.0.1", 100);
  assert.equal(lookUp("/10.0.0.1", 10_099), "nothing");
  assert.equal(lookUp("/10.0.0.1", 10_100), "reopen");
  assert.deepEqual(results, ["1 absent", "2 absent"]);
  lookups.closed();
  assert.deepEqual([...lookups.opened(10_200)], ["/10.0.0.1"]);
  lookups.found("/10.0.0.1");
  assert.deepEqual(results, ["1 absent", "2 absent", "3 known"]);
});

Deno.test("xds 2.9: lookups without a stream are part of the first request of the next one", () => {
  const { lookups, results, lookUp } = rig();
  assert.equal(lookUp("a"), "nothing");
  assert.equal(lookUp("b"), "nothing");
  assert.deepEqual([...lookups.opened(0)], ["a", "b"]);
  assert.equal(lookUp("a"), "nothing");
  lookups.closed();
  lookups.found("a");
  assert.deepEqual(results, ["1 known", "3 known"]);
  assert.deepEqual([...lookups.opened(1)], ["b"]);
});

Deno.test("xds Q5: a lookup expires, which differs from absent", () => {
  const { lookups, results, lookUp } = rig();
  lookups.opened(0);
  lookUp("a", 0);
  lookUp("b", 500);
  lookUp("a", 600);
  assert.equal(lookups.nextExpiry(), 1000);
  lookups.expire(999);
  assert.deepEqual(results, []);
  lookups.expire(1000);
  assert.deepEqual(results, ["1 expired"]);
  assert.equal(lookups.nextExpiry(), 1500);
  lookups.expire(9000);
  assert.deepEqual(results, ["1 expired", "2 expired", "3 expired"]);
  assert.equal(lookups.nextExpiry(), null);
  // Requested once on this stream; a late response ends later lookups.
  assert.equal(lookUp("a", 9001), "nothing");
  lookups.found("a");
  assert.equal(results.at(-1), "4 known");
});

Deno.test("lookups: a name whose resource was rejected is known at once", () => {
  const { lookups, results, lookUp } = rig();
  lookups.opened(0);
  lookUp("a");
  lookups.found("a");
  assert.equal(lookUp("a"), "nothing");
  assert.deepEqual(results, ["1 known", "2 known"]);
});

Deno.test("lookups: a scan does not exceed the limits", () => {
  const { lookups, results, lookUp } = rig();
  lookups.opened(0);
  for (const name of ["a", "b", "c", "d"]) assert.equal(lookUp(name), "request");
  assert.equal(lookUp("e"), "nothing");
  assert.deepEqual(results, ["5 refused"]);
  for (const name of ["a", "b", "c", "d"]) lookups.removed(name, 1);
  assert.equal(lookups.requested, 4);
  // Names that were not requested are not stored.
  for (let i = 0; i < 100; i++) lookups.removed(`other${i}`, 1);
  assert.equal(lookups.requested, 4);
  assert.equal(lookUp("f", 999), "nothing");
  assert.equal(results.at(-1), "6 refused");
  assert.equal(lookUp("f", 1_000), "reopen", "after refreshAfter the stream is reopened");
  lookups.closed();
  assert.equal(lookups.requested, 0);
});

Deno.test("lookups: their number and the length of names are limited", () => {
  const { results, lookUp } = rig({ pending: 2 });
  lookUp("a");
  lookUp("a");
  lookUp("a");
  assert.deepEqual(results, ["3 refused"]);
  const long = rig();
  assert.equal(long.lookUp("x".repeat(1025)), "nothing");
  assert.deepEqual(long.results, ["1 refused"]);
});

Deno.test("lookups: close ends all of them", () => {
  const { lookups, results, lookUp } = rig();
  lookups.opened(0);
  lookUp("a");
  lookUp("b");
  lookups.close();
  assert.deepEqual(results, ["1 refused", "2 refused"]);
  assert.equal(lookups.nextExpiry(), null);
});

Deno.test("known resources: an alias is known as long as one resource has it", () => {
  const known = new KnownResources(true);
  known.set("w1", "1", ["/10.0.0.1", "/10.0.0.2"]);
  known.set("w2", "1", ["/10.0.0.1"]);
  known.set("w1", "2", ["/10.0.0.1"]);
  assert.equal(known.has("/10.0.0.2"), false);
  known.delete("w1");
  assert.equal(known.has("/10.0.0.1"), true);
  known.delete("w2");
  known.delete("w2");
  assert.equal(known.has("/10.0.0.1"), false);
  assert.equal(known.size, 0);
});

Deno.test("xds O3: a known resource is requested again at growing intervals, and soon after a removal", () => {
  const known = new KnownResources(true);
  known.set("ns/service", "1", []);
  const lookups = new PendingLookups(known, LIMITS);
  const results: string[] = [];
  const lookUp = (now: number) => lookups.lookUp("ns/service", now, (result) => results.push(result));
  assert.equal(lookUp(0), "nothing", "there is no stream");
  assert.deepEqual(results, ["known"]);
  /** Asserts that the stream is reopened from exactly this age on. */
  const opensAt = (now: number, age: number) => {
    lookups.opened(now);
    assert.equal(lookUp(now + age - 1), "nothing");
    assert.equal(results.at(-1), "known");
    const before = results.length;
    assert.equal(lookUp(now + age), "reopen");
    assert.equal(results.length, before, "the lookup is pending");
    lookups.closed();
    assert.deepEqual([...lookups.opened(now + age)], ["ns/service"]);
    lookups.found("ns/service");
    assert.equal(results.length, before + 1);
  };
  for (const [index, age] of [1_000, 2_000, 4_000, 8_000, 10_000, 10_000].entries()) opensAt(100_000 * index, age);
  lookups.resourceRemoved();
  opensAt(1_000_000, 1_000);
});
