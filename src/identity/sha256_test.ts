import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { sha256Text } from "./sha256.ts";

Deno.test("the hash of any parts equals the runtime's own", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (parts) => {
    const expected = createHash("sha256");
    for (const part of parts) expected.update(part);
    assert.equal(sha256Text(...parts), expected.digest("base64"));
  }));
});
