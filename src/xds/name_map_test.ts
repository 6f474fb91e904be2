import fc from "fast-check";
import assert from "node:assert/strict";
import { NameMap } from "./name_map.ts";

Deno.test("name map, property: behaves like Map", () => {
  const action = fc.tuple(fc.constantFrom("set", "delete"), fc.string({ maxLength: 3 }), fc.nat());
  fc.assert(fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
    const map = new Map<string, number>();
    const names = new NameMap<number>();
    for (const [what, name, value] of actions) {
      if (what === "set") {
        map.set(name, value);
        names.set(name, value);
      } else {
        map.delete(name);
        names.delete(name);
      }
      assert.equal(names.size, map.size);
      assert.equal(names.get(name), map.get(name));
      assert.equal(names.has(name), map.has(name));
    }
    assert.deepEqual(new Map(names), map);
  }));
});
