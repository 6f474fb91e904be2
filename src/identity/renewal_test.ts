import { strict as assert } from "node:assert";
import fc from "fast-check";
import { backoffDelay } from "./backoff.ts";
import { isExpired, nextRenewal, refreshAt } from "./renewal.ts";

const NOW = Date.UTC(2026, 0, 1);
const S = 1000;
const at = (from: number, to: number) => ({ notBefore: NOW + from * S, notAfter: NOW + to * S });

const refresh: readonly [what: string, from: number, to: number, refreshIn: number, next: number][] = [
  ["identity 2.3: 24 h", 0, 86_400, 43_200, 43_200],
  ["identity 2.3: back-dated by 120 s", -120, 86_400, 43_140, 43_140],
  ["identity M16: 1000 s", 0, 1000, 500, 500],
  ["identity M17: expired", -1000, -1, -500.5, -1],
  ["identity M18: all in the future", 1000, 1000, 1000, 1000],
  ["identity 2.3: ends before it begins", 100, 50, 50, 50],
  ["identity 2.3: past half-life, 1 % is below a second", -60, 40, -10, 1],
  ["identity 2.3: past half-life, 1 %", -600, 400, -100, 10],
  ["identity 2.3: past half-life, 1 % is above 30 s", -80_000, 6400, -36_800, 30],
  ["identity 2.3: past half-life, not after the end", -600, 3, -298.5, 3],
];

for (const [what, from, to, refreshIn, next] of refresh) {
  Deno.test(`renewal time, ${what}`, () => {
    assert.equal((refreshAt(at(from, to)) - NOW) / S, refreshIn);
    assert.equal((nextRenewal(at(from, to), NOW) - NOW) / S, next);
  });
}

Deno.test("expiry, identity M17 M18", () => {
  assert.equal(isExpired(at(-1000, -1), NOW), true);
  assert.equal(isExpired(at(1000, 1000), NOW), false);
  assert.equal(isExpired(at(-1000, 0), NOW), true);
});

Deno.test("backoff, identity 2.4: nominal sequence and spread", () => {
  const nominal = Array.from({ length: 11 }, (_, i) => backoffDelay(i + 1, 0.5) / S);
  assert.deepEqual(nominal, [1, 2, 4, 8, 16, 32, 64, 128, 150, 150, 150]);
  assert.equal(backoffDelay(1, 0), 800);
  assert.equal(backoffDelay(100_000, 0.5), 150_000);
});

Deno.test("property: backoff stays within 20 % of 1 to 150 s", () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(fc.property(fc.integer({ min: 1, max: 1e6 }), random, (failures, r) => {
    const delay = backoffDelay(failures, r);
    return delay >= 800 && delay <= 180_000;
  }));
});
