/** A node on which a thousand pods start at the same time, with SPIRE as certificate authority. */
import { strict as assert } from "node:assert";
import type { WallClock } from "../src/net/clock.ts";
import { SpireRig } from "../testkit/spire/rig.ts";
import { subjectOf } from "../testkit/spire/source.ts";

const PODS = 1000;
const CONCURRENCY = 8;
/**
 * Timers that do not run: on a busy machine they would release a slot or refuse a pod before the agent has answered.
 */
const WITHOUT_TIMEOUTS: WallClock = { now: Date.now, elapsed: () => performance.now(), after: () => ({ cancel() {} }) };

Deno.test("identity 4.8: a thousand pods at once never cause more attestations than SPIRE_CONCURRENCY", async () => {
  await using rig = await SpireRig.start({
    variables: { SPIRE_CONCURRENCY: String(CONCURRENCY) },
    clock: WITHOUT_TIMEOUTS,
  });
  rig.agent.attestation = 2;
  rig.agent.addAccount("default", "test-sa");
  const uids = Array.from({ length: PODS }, (_, i) => `uid-${i}`);
  for (const [i, uid] of uids.entries()) rig.addPod(uid, 1000 + i);
  const issued = await Promise.all(uids.map((uid) => rig.get(subjectOf("test-sa", uid))));
  assert.equal(issued.length, PODS);
  assert.equal(rig.agent.subscriptions.length, PODS);
  assert.equal(rig.agent.mostAttesting, CONCURRENCY);
  assert.deepEqual(rig.lines, []);
  // One push for all of them, and no further requests.
  rig.agent.rotate();
  await rig.changed(2 * PODS);
  assert.equal(rig.agent.subscriptions.length, PODS);
  for (const uid of uids) rig.manager.remove(subjectOf("test-sa", uid));
  assert.equal(rig.authority.size, 0);
});
