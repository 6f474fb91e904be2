import { strict as assert } from "node:assert";
import fc from "fast-check";
import { edgeKey, layoutOf, NODE_HEIGHT, NODE_WIDTH } from "./layout.ts";

const edge = (text: string) => {
  const [from = "", to = ""] = text.split(">");
  return { from, to };
};

/** The names of each column from left to right, each from top to bottom. */
function columns({ nodes }: ReturnType<typeof layoutOf>): string[] {
  const byX = Map.groupBy(nodes, ([, { x }]) => x);
  return [...byX].sort(([a], [b]) => a - b)
    .map(([, column]) => column.sort(([, a], [, b]) => a.y - b.y).map(([id]) => id).join(""));
}

Deno.test("layout: callers stand left of what they call", () => {
  assert.deepEqual(columns(layoutOf(["a", "b", "c", "d"], ["a>b", "b>c", "a>c", "d>c"].map(edge))), ["ad", "b", "c"]);
});

Deno.test("layout: circles and a node that calls itself", () => {
  assert.deepEqual(columns(layoutOf(["a", "b", "c"], ["a>b", "b>c", "c>a", "b>b"].map(edge))), ["a", "b", "c"]);
});

Deno.test("layout: neighbours stand beside each other, so that edges do not cross", () => {
  const layout = layoutOf(["a", "b", "c", "x", "y", "z"], ["a>z", "b>y", "c>x"].map(edge));
  const [left = "", right = ""] = columns(layout);
  assert.deepEqual([...left].map((id) => ({ a: "z", b: "y", c: "x" })[id]), [...right]);
});

Deno.test("layout: a full layer takes several columns, a long chain at most seven, and nothing is a picture too", () => {
  const ids = Array.from({ length: 40 }, (_, i) => `n${String(i).padStart(2, "0")}`);
  assert.deepEqual(columns(layoutOf(ids, [])).length, 3);
  const chain = ids.slice(1).map((to, i) => ({ from: ids[i]!, to }));
  assert.equal(columns(layoutOf(ids, chain)).length, 7);
  assert.equal(layoutOf([], []).nodes.size, 0);
});

Deno.test("layout: an edge that passes a column does not cross a node of it", () => {
  const layout = layoutOf(["a", "b", "c"], ["a>b", "b>c", "a>c"].map(edge));
  const path = layout.paths.get(edgeKey("a", "c"))!, b = layout.nodes.get("b")!;
  const [, y = ""] = / ([\d.]+)H/.exec(path)!;
  assert.ok(Number(y) < b.y || Number(y) > b.y + NODE_HEIGHT, `${path} and ${JSON.stringify(b)}`);
});

Deno.test("layout: edges forward, back and within a column have a path, others none", () => {
  const chain = ["a>b", "b>c", "c>a", "x>a", "a>a", "a>unknown"].map(edge);
  const { paths } = layoutOf(["a", "b", "c", "x"], chain);
  assert.deepEqual([...paths.keys()].sort(), ["a\nb", "b\nc", "c\na", "x\na"]);
  for (const path of paths.values()) assert.match(path, /^M[\d.]+ [\d.]+C[-\d. CH]+$/);
});

Deno.test("layout: each graph has one picture, in which no two nodes overlap", () => {
  const id = fc.integer({ min: 0, max: 25 }).map((n) => `n${n}`);
  const graphs = fc.tuple(fc.uniqueArray(id), fc.array(fc.record({ from: id, to: id }), { maxLength: 60 }));
  fc.assert(fc.property(graphs, ([ids, edges]) => {
    const layout = layoutOf(ids, edges);
    assert.deepEqual(layout, layoutOf([...ids].reverse(), [...edges].reverse()));
    const nodes = [...layout.nodes.values()];
    assert.equal(nodes.length, ids.length);
    for (const [i, one] of nodes.entries()) {
      assert.ok(one.x >= 0 && one.y >= 0 && one.x + NODE_WIDTH <= layout.width && one.y + NODE_HEIGHT <= layout.height);
      for (const other of nodes.slice(i + 1)) {
        assert.ok(Math.abs(one.x - other.x) >= NODE_WIDTH || Math.abs(one.y - other.y) >= NODE_HEIGHT);
      }
    }
  }));
});
