/** Lookups of a client with `XDS_ON_DEMAND`, and when it reopens the stream (`docs/spec/observed.md` O3). */
import assert from "node:assert/strict";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "./resources.ts";
import { ACCEPTING, ClientRig, ON_DEMAND, REFUSED } from "./testkit/client.ts";

const HOUR = 3_600_000;

Deno.test("xds 2.9: a lookup is sent after the first requests, or as part of them", async () => {
  await using rig = new ClientRig(ON_DEMAND);
  rig.client.lookUp("early", () => {});
  await rig.settle();
  rig.client.lookUp("late", () => {});
  await rig.settle();
  const [addresses, policies, lookup, ...more] = rig.call.sent;
  assert.deepEqual({ ...addresses!.initialResourceVersions }, { early: "" });
  assert.equal(policies!.typeUrl, AUTHORIZATION_TYPE);
  assert.deepEqual([...lookup!.resourceNamesSubscribe], ["late"]);
  assert.deepEqual(more, []);
});

Deno.test("xds Q5: a lookup without a response expires after 10 s, also without a connection", async () => {
  await using rig = new ClientRig(ON_DEMAND, ACCEPTING, REFUSED);
  await rig.settle();
  const results: string[] = [];
  rig.client.lookUp("a", (result) => results.push(`a ${result} ${rig.clock.now()}`));
  await rig.clock.advance(4_000);
  rig.client.lookUp("b", (result) => results.push(`b ${result} ${rig.clock.now()}`));
  await rig.clock.advance(20_000);
  assert.deepEqual(results, ["a expired 10000", "b expired 14000"]);
});

for (const jump of [-24 * HOUR, 24 * HOUR]) {
  Deno.test(`xds Q5, O3: lookups expire, and absent names are requested again, after the clock is set by ${jump / HOUR} h`, async () => {
    await using rig = new ClientRig(ON_DEMAND);
    await rig.settle();
    const results: string[] = [];
    const lookUp = (name: string) => rig.client.lookUp(name, (result) => results.push(`${name} ${result}`));
    lookUp("silent");
    lookUp("absent");
    await rig.settle();
    rig.call.respond(ADDRESS_TYPE, "1", [], ["absent"]);
    await rig.settle();
    rig.clock.set(rig.clock.now() + jump);
    lookUp("absent");
    await rig.clock.advance(9_999);
    assert.deepEqual(results, ["absent absent", "absent absent"]);
    await rig.clock.advance(1);
    assert.deepEqual(results, ["absent absent", "absent absent", "silent expired"]);
    await rig.clock.advance(300_000);
    lookUp("absent");
    await rig.settle();
    assert.equal(rig.calls.length, 2, "the stream was reopened to request the name again");
  });
}

Deno.test("xds O3: a repeated lookup of a name that was absent long ago reopens the stream, which is not counted as a failure", async () => {
  await using rig = new ClientRig(ON_DEMAND);
  await rig.settle();
  const results: string[] = [];
  const lookUp = () => rig.client.lookUp("/10.0.0.1", (result) => results.push(result));
  lookUp();
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", [], ["/10.0.0.1"]);
  await rig.clock.advance(1_000);
  lookUp();
  assert.deepEqual(results, ["absent", "absent"]);
  await rig.clock.advance(300_000);
  lookUp();
  lookUp();
  await rig.settle();
  assert.equal(rig.calls.length, 2);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { "/10.0.0.1": "" });
  assert.deepEqual(rig.terminations(), {});
  rig.call.respond(ADDRESS_TYPE, "1", ["/10.0.0.1"]);
  await rig.settle();
  assert.deepEqual(results, ["absent", "absent", "known", "known"]);
});

Deno.test("xds O3: after a removal the stream is reopened for replacements when it is 15 s old", async () => {
  await using rig = new ClientRig(ON_DEMAND);
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["app/service", "pod-1"]);
  await rig.clock.advance(1_000);
  rig.call.respond(ADDRESS_TYPE, "2", [], ["never-held"]);
  await rig.clock.advance(1_000);
  rig.call.respond(ADDRESS_TYPE, "3", [], ["pod-1"]);
  await rig.clock.advance(12_999);
  assert.equal(rig.calls.length, 1);
  await rig.clock.advance(1);
  assert.equal(rig.calls.length, 2);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { "app/service": "1" });
  assert.deepEqual(rig.terminations(), {});
  assert.ok(rig.lines().some((line) => /reopening the stream to receive replacements/.test(line)));
  // The first response of a stream is complete, so its removals do not make it outdated.
  rig.call.respond(ADDRESS_TYPE, "1", ["pod-2"], ["app/service"]);
  await rig.clock.advance(60_000);
  assert.equal(rig.calls.length, 2);
  rig.call.respond(ADDRESS_TYPE, "2", [], ["pod-2"]);
  await rig.settle();
  assert.equal(rig.calls.length, 3, "reopened at once, as the stream is old enough");
});

Deno.test("xds O3: a known service that cannot be used is requested on a new stream", async () => {
  await using rig = new ClientRig(ON_DEMAND);
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["app/service"]);
  await rig.clock.advance(14_000);
  const results: string[] = [];
  const lookUp = () => rig.client.lookUp("app/service", (result) => results.push(result));
  lookUp();
  assert.deepEqual(results, ["known"], "the stream is too young");
  await rig.clock.advance(1_000);
  lookUp();
  await rig.settle();
  assert.equal(rig.calls.length, 2);
  assert.deepEqual(
    { ...rig.call.sent[0]!.initialResourceVersions },
    { "app/service": "" },
    "without a version, to receive all of it",
  );
  assert.deepEqual(results, ["known"]);
  rig.call.respond(ADDRESS_TYPE, "1", ["app/service", "pod-2"]);
  await rig.settle();
  assert.deepEqual(results, ["known", "known"]);
});

Deno.test("xds O3: with a wildcard subscription the stream is not reopened, as replacements are pushed", async () => {
  await using rig = new ClientRig();
  await rig.settle();
  for (const [nonce, names, removed] of [["1", ["a"], []], ["2", [], ["a"]]] as const) {
    rig.call.respond(ADDRESS_TYPE, nonce, names, removed);
    await rig.settle();
  }
  await rig.clock.advance(60_000);
  assert.equal(rig.calls.length, 1);
});
