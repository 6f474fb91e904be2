import { strict as assert } from "node:assert";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import { CutPeers } from "./cut_peers.ts";

const id = (name: number) => `spiffe://td/ns/a/sa/${name}` as SpiffeId;

Deno.test("cut peers: an identity is in the set for a minute after its last breach, and no other", () => {
  const peers = new CutPeers();
  peers.add(id(1), 0);
  peers.add(id(1), 1000);
  assert.deepEqual([peers.has(id(1), 60_999), peers.has(id(1), 61_000), peers.has(id(2), 0)], [true, false, false]);
});

Deno.test("cut peers: a bounded number of identities, the latest ones", () => {
  const peers = new CutPeers();
  for (let i = 0; i < 2000; i++) peers.add(id(i), 0);
  const known = Array.from({ length: 2000 }, (_, i) => peers.has(id(i), 1)).filter(Boolean);
  assert.equal(known.length, 1024);
  assert.ok(peers.has(id(1999), 1));
});
