import { strict as assert } from "node:assert";
import fc from "fast-check";
import { istio } from "../../testkit/gen/resources.js";
import { ResourceDecoder } from "./decode.ts";
import { type PartRecord, PartWriter, type PolicyPayload, recordsOf } from "./resource_part.ts";
import { AUTHORIZATION_TYPE } from "./resources.ts";

function partOf({ memory, length }: PartWriter): PolicyPayload {
  return { type: AUTHORIZATION_TYPE, memory, length };
}

function plain(record: PartRecord): unknown {
  return record.kind === "removed" ? [record.name] : [record.name, [...record.body]];
}

const resource = fc.tuple(
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.option(fc.uint8Array({ maxLength: 40 })),
);

Deno.test("resource part, property: written records are read back, and records that do not fit are not written", () => {
  fc.assert(
    fc.property(fc.array(resource), fc.nat(400), (resources, size) => {
      const writer = new PartWriter(new SharedArrayBuffer(size));
      const fitting = resources.filter(([name, body]) => {
        const before = writer.length;
        const fits = writer.add(name, body);
        if (!fits) assert.equal(writer.length, before);
        if (!fits) assert.ok(PartWriter.sizeOf(name, body) > size - before);
        return fits;
      });
      const expected = fitting.map(([name, body]) => body === null ? [name] : [name, [...body]]);
      assert.deepEqual([...recordsOf(partOf(writer))].map(plain), expected);
    }),
  );
});

Deno.test("resource part: a policy is decoded from shared memory", () => {
  const name = "café-☃";
  const body = istio.security.Authorization.encode({ name, namespace: name }).finish();
  const writer = new PartWriter(new SharedArrayBuffer(1000));
  assert.ok(writer.add("", new Uint8Array(3)) && writer.add("u", body));
  const [, record] = [...recordsOf(partOf(writer))];
  assert.ok(record?.kind === "changed");
  const decoded = new ResourceDecoder(16).decode(AUTHORIZATION_TYPE, record.name, record.body);
  // The decoded change must not refer to the memory, which is used again.
  new Uint8Array(writer.memory).fill(0);
  assert.ok(decoded.ok && decoded.change.kind === "policy");
  assert.equal(decoded.change.policy.name, name);
  assert.equal(decoded.change.policy.namespace, name);
});
