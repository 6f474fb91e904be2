import { strict as assert } from "node:assert";
import { GRACE, MOST, Unproven, type UnprovenPeer } from "./unproven.ts";

class Peer implements UnprovenPeer {
  crowded = false;
  crowdedOut(): void {
    this.crowded = true;
  }
}

function crowd(unproven: Unproven, count: number, now: number): Peer[] {
  const peers = Array.from({ length: count }, () => new Peer());
  for (const peer of peers) unproven.add(peer, now);
  return peers;
}

const crowdedOut = (peers: readonly Peer[]) => peers.filter(({ crowded }) => crowded).length;

Deno.test("unproven: any number may come at once, and has its time", () => {
  const unproven = new Unproven();
  const peers = crowd(unproven, 5 * MOST, 0);
  peers.push(...crowd(unproven, MOST, GRACE - 1));
  assert.equal(crowdedOut(peers), 0);
});

Deno.test("unproven: who has had it makes room, the oldest first", () => {
  const unproven = new Unproven();
  const [first, second] = [crowd(unproven, MOST, 0), crowd(unproven, MOST, 1)];
  const [newcomer] = crowd(unproven, 1, GRACE);
  assert.deepEqual([crowdedOut(first), crowdedOut(second), newcomer!.crowded], [MOST, 0, false]);
  crowd(unproven, 1, GRACE + 1);
  assert.equal(crowdedOut(second), 2);
  assert.equal(second[2]!.crowded, false);
  assert.equal(unproven.size, MOST);
});

Deno.test("unproven: who has proven itself or is gone takes no room", () => {
  const unproven = new Unproven();
  const peers = crowd(unproven, MOST, 0);
  for (const peer of peers) unproven.delete(peer);
  const slow = crowd(unproven, MOST, 10);
  assert.equal(crowdedOut(slow), 0);
  crowd(unproven, 1, 10 * GRACE);
  assert.equal(crowdedOut(slow), 1);
  assert.equal(crowdedOut(peers), 0);
});
