import { strict as assert } from "node:assert";
import type { UpstreamResponse } from "./attempt.ts";
import { ResponseCache } from "./response_cache.ts";

function answerOf(size: number, lifetime = 60): UpstreamResponse {
  return { bytes: new Uint8Array(size), facts: { rcode: 0, truncated: false, answers: 1, lifetime } };
}

function room(left = 100 << 20) {
  return { left };
}

Deno.test("response cache: beyond 8192 entries the least recently used is evicted", () => {
  const cache = new ResponseCache(room());
  for (let i = 0; i < 8192; i++) cache.store(`${i}`, answerOf(10), null, 0);
  assert.notEqual(cache.get("0", 0), null);
  cache.store("more", answerOf(10), null, 0);
  assert.equal(cache.size, 8192);
  assert.notEqual(cache.get("0", 0), null);
  assert.equal(cache.get("1", 0), null);
});

Deno.test("response cache: four megabytes per pod, and a shared limit for the pods of an isolate", () => {
  const own = new ResponseCache(room());
  for (let i = 0; i < 100; i++) own.store(`${i}`, answerOf(60_000), null, 0);
  assert.equal(own.size, Math.floor((4 << 20) / 60_304));
  const budget = room(200_000);
  const caches = [new ResponseCache(budget), new ResponseCache(budget)];
  caches[0]!.store("a", answerOf(60_000), answerOf(60_000), 0);
  caches[1]!.store("b", answerOf(60_000), null, 0);
  assert.deepEqual(caches.map(({ size }) => size), [1, 1]);
  // It evicts its own entries, not those of others.
  caches[1]!.store("c", answerOf(60_000), null, 0);
  assert.deepEqual(caches.map(({ size }) => size), [1, 1]);
  caches[1]!.store("d", answerOf(100_000), null, 0);
  assert.deepEqual(caches.map(({ size }) => size), [1, 0]);
  for (const cache of caches) cache.clear();
  assert.equal(budget.left, 200_000);
});

Deno.test("response cache: expired entries are removed; replaced and refused ones do not count", () => {
  const budget = room();
  const before = budget.left;
  const cache = new ResponseCache(budget);
  cache.store("a", answerOf(10, 0), null, 0);
  assert.equal(cache.size, 0);
  cache.store("a", answerOf(10, 5), null, 1000);
  cache.store("a", answerOf(20, 5), null, 1000);
  assert.equal(cache.get("a", 5999)?.full.bytes.length, 20);
  assert.equal(cache.get("a", 6000), null);
  assert.deepEqual([cache.size, budget.left], [0, before]);
});
