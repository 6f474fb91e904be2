import { strict as assert } from "node:assert";
import fc from "fast-check";
import { HeldBytes } from "./held_bytes.ts";

function make(most: number) {
  const full: string[] = [];
  const held = new HeldBytes(most, { onFull: (peer, bytes, total) => void full.push(`${peer} ${bytes} of ${total}`) });
  return { held, full, a: held.open("a"), b: held.open("b") };
}

Deno.test("held bytes: up to the limit all peers get credit, above it those above their share get none", () => {
  const { held, full, a, b } = make(1000);
  assert.equal(held.add(a, 1000), "credit");
  assert.equal(held.add(b, 400), "credit", "b holds less than half of the bound");
  assert.equal(held.add(a, 1), "wait");
  assert.equal(held.add(b, 101), "wait");
  assert.deepEqual(full, ["a 1001 of 1401"]);
  held.remove(a, 600);
  assert.equal(held.total, 902);
  assert.equal(held.add(a, 98), "credit");
  held.add(a, 400);
  assert.equal(full.length, 2, "reported again after there was room");
});

Deno.test("held bytes: above twice the limit a connection of a peer above its share ends, one of a peer below it does not", () => {
  const { held, a, b } = make(1000);
  assert.equal(held.add(a, 2000), "wait");
  assert.equal(held.add(b, 100), "credit");
  assert.equal(held.add(a, 1), "breach");
});

Deno.test("held bytes: the connections of one peer count together, and dropped bytes do not count", () => {
  const { held, a } = make(1000);
  const second = held.open("a");
  assert.equal(second, a);
  held.add(a, 500);
  held.close(second);
  assert.equal(held.open("a"), a, "one connection is left");
  held.close(a);
  held.close(a);
  assert.notEqual(held.open("a"), a);
  held.remove(a, 500);
  assert.deepEqual([held.total, held.holders], [0, 0]);
});

Deno.test("held bytes: the sums are right, and no peer below its share loses a connection", () => {
  fc.assert(fc.property(
    fc.array(fc.record({ peer: fc.constantFrom("a", "b"), add: fc.boolean(), n: fc.nat(900) })),
    (steps) => {
      const { held, ...peers } = make(1000);
      for (const { peer, add, n } of steps) {
        const of = peer === "a" ? peers.a : peers.b;
        const length = add ? n : Math.min(n, of.held);
        if (length === 0) continue;
        if (!add) held.remove(of, length);
        else {
          const verdict = held.add(of, length);
          if (of.held * held.holders <= 1000) assert.equal(verdict, "credit");
        }
        assert.equal(held.total, peers.a.held + peers.b.held);
        assert.equal(held.holders, [peers.a, peers.b].filter((one) => one.held > 0).length);
      }
    },
  ));
});
