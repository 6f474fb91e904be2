import { strict as assert } from "node:assert";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { parseIp } from "../net/address.ts";
import { CutPeers } from "./cut_peers.ts";

const id = (name: number) => `spiffe://td/ns/a/sa/${name}` as SpiffeId;
const IP = parseIp("10.0.0.1")!, OTHER_IP = parseIp("10.0.0.2")!;

Deno.test("cut peers: a peer is in the set for a minute after its last breach, and no other", () => {
  const peers = new CutPeers();
  peers.add(id(1), IP, 0);
  peers.add(id(1), IP, 1000);
  const has = (name: number, ip: typeof IP, now: number) => peers.resetsOf(id(name), ip, now) !== null;
  assert.deepEqual([has(2, IP, 0), has(1, OTHER_IP, 0)], [false, false]);
  assert.deepEqual([has(1, IP, 60_999), has(1, IP, 61_000)], [true, false]);
});

Deno.test("cut peers: all connections of a peer share a budget, which a breach does not fill again", () => {
  const peers = new CutPeers();
  peers.add(id(1), IP, 0);
  assert.ok(peers.resetsOf(id(1), IP, 0)!.take(50, 0));
  peers.add(id(1), IP, 1);
  assert.equal(peers.resetsOf(id(1), IP, 1)!.take(10, 1), false);
});

Deno.test("cut peers: a bounded number of peers, the latest ones", () => {
  const peers = new CutPeers();
  for (let i = 0; i < 2000; i++) peers.add(id(i), IP, 0);
  const known = Array.from({ length: 2000 }, (_, i) => peers.resetsOf(id(i), IP, 1)).filter((budget) =>
    budget !== null
  );
  assert.equal(known.length, 1024);
  assert.notEqual(peers.resetsOf(id(1999), IP, 1), null);
});
