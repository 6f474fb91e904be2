import { strict as assert } from "node:assert";
import * as fc from "../../../testkit/repeatable.ts";
import { HashTable } from "./hash_table.ts";
import { HolderLists } from "./holder_lists.ts";

/** Few of them, in one part of the table, so that many collide. */
const HASH = fc.constantFrom(0, 1, 2, 15, 16, 17, 31, 0xffff_ffff, 0xffff_fff0);

Deno.test("hash table, property: has exactly the entries that were added and not removed", () => {
  const step = fc.record({ hash: HASH, id: fc.nat(60), isRemoval: fc.boolean() });
  fc.assert(fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
    const table = new HashTable();
    const model = new Map<number, Set<number>>();
    for (const { hash, id, isRemoval } of steps) {
      const ids = model.get(hash) ?? new Set();
      model.set(hash, ids);
      if (isRemoval) table.remove(hash, id);
      else if (!ids.has(id)) table.add(hash, id);
      if (isRemoval) ids.delete(id);
      else ids.add(id);
      for (const [each, expected] of model) {
        const found: number[] = [];
        for (let i = 0; table.nth(each, i) >= 0; i++) found.push(table.nth(each, i));
        assert.deepEqual(found.sort(), [...expected].sort());
      }
    }
  }));
});

/** A holder is ten times its key and a rank below ten; keys with equal remainders by three have equal hashes. */
Deno.test("holder lists, property: each key has its holders in the order of rank, and of arrival among equals", () => {
  const step = fc.record({ holder: fc.nat(60), isRemoval: fc.boolean() });
  const keyOf = (holder: number) => Math.floor(holder / 10);
  const hashOf = (key: number) => key % 3;
  fc.assert(fc.property(fc.array(step, { maxLength: 100, size: "max" }), (steps) => {
    const lists = new HolderLists();
    const model = new Map<number, number[]>();
    for (const { holder, isRemoval } of steps) {
      const key = keyOf(holder);
      const holders = (model.get(key) ?? []).filter((other) => other !== holder);
      if (isRemoval || (model.get(key) ?? []).includes(holder)) lists.remove(hashOf(key), holder);
      if (!isRemoval) {
        lists.add(hashOf(key), holder, (other) => keyOf(other) === key, (other) => other % 10 >= holder % 10);
        const at = holders.findIndex((other) => other % 10 < holder % 10);
        holders.splice(at < 0 ? holders.length : at, 0, holder);
      }
      model.set(key, holders);
      assert.equal(lists.size, [...model.values()].filter((list) => list.length > 0).length);
      for (const [each, expected] of model) assert.deepEqual(holdersOf(lists, hashOf(each), each, keyOf), expected);
    }
  }));
});

function holdersOf(lists: HolderLists, hash: number, key: number, keyOf: (holder: number) => number): number[] {
  for (let i = 0;; i++) {
    const first = lists.nth(hash, i);
    if (first < 0) return [];
    if (keyOf(lists.holder(first)) !== key) continue;
    const found: number[] = [];
    for (let at = first; at >= 0; at = lists.next(at)) found.push(lists.holder(at));
    return found;
  }
}
