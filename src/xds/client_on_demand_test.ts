/** Demands of a client under `XDS_ON_DEMAND`, and what makes it ask anew (`docs/spec/observed.md` O3). */
import assert from "node:assert/strict";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from "./resources.ts";
import { ClientRig, GOOD, ON_DEMAND, REFUSED } from "./testkit/client.ts";

Deno.test("a demand goes out after the first requests, however early it comes", async () => {
  await using rig = new ClientRig(ON_DEMAND);
  rig.client.demand("early", () => {});
  await rig.settle();
  rig.client.demand("late", () => {});
  await rig.settle();
  const [addresses, policies, demand, ...more] = rig.call.sent;
  assert.deepEqual({ ...addresses!.initialResourceVersions }, { early: "" });
  assert.equal(policies!.typeUrl, AUTHORIZATION_TYPE);
  assert.deepEqual([...demand!.resourceNamesSubscribe], ["late"]);
  assert.deepEqual(more, []);
});

Deno.test("xds Q5: a demand without an answer ends after 10 s, also while nothing is connected", async () => {
  await using rig = new ClientRig(ON_DEMAND, GOOD, REFUSED);
  await rig.settle();
  const told: string[] = [];
  rig.client.demand("a", (answer) => told.push(`a ${answer} ${rig.clock.now()}`));
  await rig.clock.advance(4_000);
  rig.client.demand("b", (answer) => told.push(`b ${answer} ${rig.clock.now()}`));
  await rig.clock.advance(20_000);
  assert.deepEqual(told, ["a expired 10000", "b expired 14000"]);
});

Deno.test("xds O3: who asks again for what was unknown long ago gets a new stream, and nothing is counted", async () => {
  await using rig = new ClientRig(ON_DEMAND);
  await rig.settle();
  const told: string[] = [];
  const ask = () => rig.client.demand("/10.0.0.1", (answer) => told.push(answer));
  ask();
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", [], ["/10.0.0.1"]);
  await rig.clock.advance(1_000);
  ask();
  assert.deepEqual(told, ["absent", "absent"]);
  await rig.clock.advance(300_000);
  ask();
  ask();
  await rig.settle();
  assert.equal(rig.calls.length, 2);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { "/10.0.0.1": "" });
  assert.deepEqual(rig.terminations(), {});
  rig.call.respond(ADDRESS_TYPE, "1", ["/10.0.0.1"]);
  await rig.settle();
  assert.deepEqual(told, ["absent", "absent", "known", "known"]);
});

Deno.test("xds O3: what comes in place of something that has gone is heard of on a new stream, 15 s after the last", async () => {
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
  assert.ok(rig.lines().some((line) => /opening the stream anew, to hear what is there in place of/.test(line)));
  // The first answer of a stream is whole, whatever it takes back.
  rig.call.respond(ADDRESS_TYPE, "1", ["pod-2"], ["app/service"]);
  await rig.clock.advance(60_000);
  assert.equal(rig.calls.length, 2);
  rig.call.respond(ADDRESS_TYPE, "2", [], ["pod-2"]);
  await rig.settle();
  assert.equal(rig.calls.length, 3, "at once, as the stream is old enough");
});

Deno.test("xds O3: a service that is held and of no use is asked for on a new stream", async () => {
  await using rig = new ClientRig(ON_DEMAND);
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["app/service"]);
  await rig.clock.advance(14_000);
  const told: string[] = [];
  const ask = () => rig.client.demand("app/service", (answer) => told.push(answer));
  ask();
  assert.deepEqual(told, ["known"], "as this stream has said so just now");
  await rig.clock.advance(1_000);
  ask();
  await rig.settle();
  assert.equal(rig.calls.length, 2);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { "app/service": "" }, "to be told all of it");
  assert.deepEqual(told, ["known"]);
  rig.call.respond(ADDRESS_TYPE, "1", ["app/service", "pod-2"]);
  await rig.settle();
  assert.deepEqual(told, ["known", "known"]);
});

Deno.test("xds O3: with everything subscribed nothing is opened anew, as what comes is pushed", async () => {
  await using rig = new ClientRig();
  await rig.settle();
  for (const [nonce, names, removed] of [["1", ["a"], []], ["2", [], ["a"]]] as const) {
    rig.call.respond(ADDRESS_TYPE, nonce, names, removed);
    await rig.settle();
  }
  await rig.clock.advance(60_000);
  assert.equal(rig.calls.length, 1);
});
