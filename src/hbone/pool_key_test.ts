import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { Ip } from "../net/address.ts";
import { type PoolKey, PoolTable, textOf } from "./pool_key.ts";

interface Entry {
  readonly key: PoolKey;
}

const id = fc.constantFrom("spiffe://td/ns/a/sa/a", "spiffe://td/ns/b/sa/b").map((text) => text as SpiffeId);
const ip = fc.constantFrom("10.0.0.1", "10.0.0.2").map((text) => text as Ip);
const key: fc.Arbitrary<PoolKey> = fc.record({
  source: id,
  sourceIp: ip,
  destination: fc.constantFrom("one", "two"),
  peer: fc.record({
    address: fc.record({ ip, port: fc.constantFrom(15008, 15009) }),
    expected: fc.array(id, { maxLength: 2 }),
  }),
});

Deno.test("pool key: the table behaves like a map by the texts of keys", () => {
  fc.assert(fc.property(fc.array(fc.tuple(key, fc.boolean()), { maxLength: 100 }), (steps) => {
    const table = new PoolTable<Entry>(), model = new Map<string, Entry>();
    for (const [key, keep] of steps) {
      const text = textOf(key), entry = model.get(text);
      assert.equal(table.get(key), entry);
      if (entry === undefined && keep) {
        const added = { key };
        table.add(added);
        model.set(text, added);
      } else if (entry !== undefined && !keep) {
        table.delete(entry);
        table.delete(entry);
        model.delete(text);
      }
      assert.equal(table.size, model.size);
      assert.deepEqual(new Set(table.values()), new Set(model.values()));
    }
    table.clear();
    assert.equal(table.size, 0);
    for (const [key] of steps) assert.equal(table.get(key), undefined);
  }));
});
