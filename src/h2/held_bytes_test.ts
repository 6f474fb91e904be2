import { strict as assert } from "node:assert";
import fc from "fast-check";
import { HeldBytes } from "./held_bytes.ts";

function make(most: number) {
  const told: string[] = [];
  const held = new HeldBytes(most, { onFull: (peer, bytes, total) => void told.push(`${peer} ${bytes} of ${total}`) });
  return { held, told };
}

Deno.test("held bytes: up to the bound everybody gets credit, beyond it those above their share wait", () => {
  const { held, told } = make(1000);
  assert.equal(held.add("a", 1000), "credit");
  assert.equal(held.add("b", 400), "credit", "b holds less than half of the bound");
  assert.equal(held.add("a", 1), "wait");
  assert.equal(held.add("b", 101), "wait");
  assert.deepEqual(told, ["a 1001 of 1401"]);
  held.remove("a", 600);
  assert.equal(held.total, 902);
  assert.equal(held.add("a", 98), "credit");
  held.add("a", 400);
  assert.equal(told.length, 2, "told again after there was room");
});

Deno.test("held bytes: at twice the bound a peer above its share ends, one below it does not", () => {
  const { held } = make(1000);
  assert.equal(held.add("a", 2000), "wait");
  assert.equal(held.add("b", 100), "credit");
  assert.equal(held.add("a", 1), "breach");
});

Deno.test("held bytes: what is given up is forgotten", () => {
  const { held } = make(1000);
  held.add("a", 500);
  held.add("b", 500);
  held.remove("a", 500);
  assert.deepEqual([held.total, held.peers, held.heldBy("a"), held.heldBy("b")], [500, 1, 0, 500]);
});

Deno.test("held bytes: sums hold, and nobody below its share is ever refused", () => {
  fc.assert(fc.property(
    fc.array(fc.record({ peer: fc.constantFrom("a", "b", "c"), add: fc.boolean(), n: fc.nat(900) })),
    (steps) => {
      const { held } = make(1000);
      const model = new Map<string, number>();
      for (const { peer, add, n } of steps) {
        const before = model.get(peer) ?? 0;
        if (!add) {
          const taken = Math.min(n, before);
          if (taken > 0) held.remove(peer, taken);
          model.set(peer, before - taken);
        } else if (n > 0) {
          const verdict = held.add(peer, n);
          model.set(peer, before + n);
          const sharers = [...model.values()].filter((bytes) => bytes > 0).length;
          if ((before + n) * sharers <= 1000) assert.equal(verdict, "credit");
        }
        assert.equal(held.total, [...model.values()].reduce((sum, bytes) => sum + bytes, 0));
        assert.equal(held.heldBy(peer), model.get(peer) ?? 0);
      }
    },
  ));
});
