import { strict as assert } from "node:assert";
import { ChainCache, chainKey } from "./chain_cache.ts";

Deno.test("chain cache: the least recently used entry is evicted", () => {
  const cache = new ChainCache<number>(2);
  cache.set("a", 1);
  cache.set("b", 2);
  assert.equal(cache.get("a"), 1);
  cache.set("c", 3);
  assert.equal(cache.get("b"), undefined);
  assert.equal(cache.get("a"), 1);
  assert.equal(cache.get("c"), 3);
  cache.set("c", 4);
  assert.equal(cache.size, 2);
  assert.equal(cache.get("c"), 4);
});

Deno.test("chain keys: differ by role, order and lengths", () => {
  const [a, b, ab] = [Uint8Array.of(1, 2), Uint8Array.of(3), Uint8Array.of(1, 2, 3)];
  const keys = [
    chainKey([a, b], "client"),
    chainKey([a, b], "server"),
    chainKey([b, a], "client"),
    chainKey([ab], "client"),
    chainKey([Uint8Array.of(1), Uint8Array.of(2, 3)], "client"),
  ];
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(chainKey([a.slice(), b], "client"), keys[0]);
  const path = [a, b];
  assert.deepEqual(["client", "server", "client"].map((role) => chainKey(path, role)), [keys[0], keys[1], keys[0]]);
});
