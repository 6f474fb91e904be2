import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ShardedMap } from "./sharded_map.ts";

Deno.test("fuzz: a sharded map behaves like a plain map", () => {
  const key = fc.string({ maxLength: 6 });
  const step = fc.oneof(
    fc.tuple(fc.constant("set"), key, fc.nat(9)),
    fc.tuple(fc.constant("delete"), key, fc.nat(9)),
    fc.tuple(fc.constantFrom("clear", "get", "get", "get"), key, fc.nat(9)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const sharded = new ShardedMap<string, number>(), plain = new Map<string, number>();
      for (const [what, name, value] of steps) {
        if (what === "set") {
          sharded.set(name, value);
          plain.set(name, value);
        } else if (what === "delete") {
          assert.equal(sharded.delete(name), plain.delete(name));
        } else if (what === "clear") {
          sharded.clear();
          plain.clear();
        }
        assert.equal(sharded.get(name), plain.get(name));
        assert.equal(sharded.size, plain.size);
      }
      assert.deepEqual([...sharded.values()].sort(), [...plain.values()].sort());
    }),
  );
});

Deno.test("names and addresses of a mesh are spread over the shards", () => {
  const kinds: Record<string, (i: number) => string> = {
    hosts: (i) => `team-${i % 100}/app-${i}.team-${i % 100}.svc.cluster.local`,
    uids: (i) => `Kubernetes//Pod/team-${i % 100}/app-${i % 900}-7d4dfc9bdf-${i.toString(26).padStart(5, "a")}`,
    ipv4: (i) => `10.${64 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
    ipv6: (i) => `fd00:10:244:${(i >> 8).toString(16)}::${(i & 255).toString(16)}`,
  };
  for (const [kind, nameOf] of Object.entries(kinds)) {
    const map = new ShardedMap<string, number>();
    for (let i = 0; i < 10_000; i++) map.set(nameOf(i), i);
    assert.ok(map.largestShard < 10_000 / 8, `${kind}: ${map.largestShard} of 10,000 in one shard`);
  }
});
