import { strict as assert } from "node:assert";
import { GRACE, MOST, MOST_WAITING, Unproven, type UnprovenPeer } from "./unproven.ts";

class Peer implements UnprovenPeer {
  crowded = false;

  constructor(public peerSince: number | null) {}

  evict(): void {
    this.crowded = true;
  }
}

function crowd(unproven: Unproven, count: number, now: number, peerSince: number | null = now): Peer[] {
  const peers = Array.from({ length: count }, () => new Peer(peerSince));
  for (const peer of peers) unproven.add(peer, now);
  return peers;
}

const evict = (peers: readonly Peer[]) => peers.filter(({ crowded }) => crowded).length;

Deno.test("unproven: many peers may connect at once, and each has its grace period", () => {
  const unproven = new Unproven();
  const peers = crowd(unproven, 5 * MOST, 0);
  peers.push(...crowd(unproven, MOST, GRACE - 1));
  assert.equal(evict(peers), 0);
});

Deno.test("unproven: peers that have not answered in time are evicted, several for each new peer", () => {
  const unproven = new Unproven();
  const [first, second] = [crowd(unproven, MOST, 0), crowd(unproven, MOST, 1)];
  const newcomers = crowd(unproven, MOST / 4, GRACE);
  assert.deepEqual([evict(first), evict(second), evict(newcomers)], [MOST, 0, 0]);
  newcomers.push(...crowd(unproven, MOST, GRACE + 1));
  assert.deepEqual([evict(second), evict(newcomers)], [MOST, 0]);
});

Deno.test("unproven: a peer that waits for us is not evicted", () => {
  const unproven = new Unproven();
  const waiting = crowd(unproven, MOST, 0, null);
  const silent = crowd(unproven, MOST, 0);
  crowd(unproven, MOST, 10 * GRACE);
  assert.deepEqual([evict(waiting), evict(silent)], [0, MOST]);
});

Deno.test("unproven: the number of peers that wait for us is bounded too", () => {
  const unproven = new Unproven();
  const waiting = crowd(unproven, 2 * MOST_WAITING, 0, null);
  assert.ok(unproven.size <= MOST_WAITING, `${unproven.size} are held`);
  assert.equal(evict(waiting.slice(-LATEST)), 0, "the latest of them stay");
});

const LATEST = 64;

Deno.test("unproven: a peer that has completed its handshake or has ended does not count", () => {
  const unproven = new Unproven();
  const peers = crowd(unproven, MOST, 0);
  for (const peer of peers) unproven.delete(peer);
  const slow = crowd(unproven, MOST, 10);
  assert.equal(evict(slow), 0);
  crowd(unproven, 1, 10 * GRACE);
  assert.equal(evict(slow), 1);
  assert.equal(evict(peers), 0);
});
