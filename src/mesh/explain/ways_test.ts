import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { Random } from "../state/endpoint_pool.ts";
import { waysOf } from "./ways.ts";
import type { Option, Trace } from "../model/reasons.ts";

/** Chooses like a pool: the option whose share of the weights contains the number. */
function draw(options: readonly Option[], random: Random, trace: Trace): string {
  trace?.push({ rule: "test.choice", text: "", options });
  let point = random() * options.reduce((sum, { weight }) => sum + weight, 0);
  for (const { name, weight } of options) {
    point -= weight;
    if (point < 0) return name;
  }
  throw new Error("nothing drawn");
}

Deno.test("each option is a way, with its share of the probability", () => {
  const options = [{ name: "a", weight: 0 }, { name: "b", weight: 3 }, { name: "c", weight: 1 }, {
    name: "d",
    weight: 0,
  }];
  const { ways, more } = waysOf((random, trace) => draw(options, random, trace), 10);
  assert.deepEqual(ways.map(({ outcome, chance }) => [outcome, chance]), [["b", 0.75], ["c", 0.25]]);
  assert.equal(more, 0);
  assert.deepEqual(ways.map(({ because }) => because.length), [1, 0], "reasons are told once");
});

Deno.test("choices that follow on choices", () => {
  const inner = {
    left: [{ name: "1", weight: 1 }, { name: "2", weight: 1 }],
    right: [{ name: "3", weight: 2 }, { name: "4", weight: 6 }],
  };
  const decide = (random: Random, trace: Trace) => {
    const side = draw([{ name: "left", weight: 1 }, { name: "right", weight: 3 }], random, trace) as "left" | "right";
    return side + draw(inner[side], random, trace);
  };
  assert.deepEqual(waysOf(decide, 10).ways.map(({ outcome, chance }) => [outcome, chance]), [
    ["left1", 0.125],
    ["right3", 0.1875],
    ["right4", 0.5625],
    ["left2", 0.125],
  ]);
});

Deno.test("a decision without choices is one way; ways beyond the limit are counted", () => {
  assert.deepEqual(waysOf(() => "x", 10), { ways: [{ outcome: "x", chance: 1, because: [] }], more: 0 });
  const options = Array.from({ length: 100 }, (_, i) => ({ name: String(i), weight: 1 }));
  const { ways, more } = waysOf((random, trace) => draw(options, random, trace), 32);
  assert.deepEqual([ways.length, more], [32, 68]);
  assert.equal(ways[0]?.because[0]?.options?.length, 100);
  const many = [...options, { name: "100", weight: 2 }, { name: "101", weight: 3 }];
  const told = waysOf((random, trace) => draw(many, random, trace), 1).ways[0]?.because[0]?.options;
  assert.deepEqual(told?.at(-1), { name: "2 others", weight: 5 });
});

Deno.test("for any weights each option is drawn once, and the probabilities sum to one", () => {
  const weights = fc.array(fc.nat(1000), { minLength: 1, maxLength: 20 }).filter((list) => list.some((w) => w > 0));
  fc.assert(fc.property(weights, (list) => {
    const options = list.map((weight, i) => ({ name: String(i), weight }));
    const total = list.reduce((a, b) => a + b);
    const { ways } = waysOf((random, trace) => draw(options, random, trace), 100);
    const found = new Map(ways.map(({ outcome, chance }) => [outcome, chance]));
    for (const [i, weight] of list.entries()) {
      assert.equal(found.has(String(i)), weight > 0);
      if (weight > 0) assert.ok(Math.abs(found.get(String(i))! - weight / total) < 1e-9);
    }
  }));
});
