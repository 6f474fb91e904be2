import { strict as assert } from "node:assert";
import fc from "fast-check";
import { organizationName } from "./certificate_builder.ts";
import * as der from "./der_write.ts";
import { nameText } from "./name_text.ts";

const attribute = (type: string, value: string) =>
  der.set(der.sequence(der.oid(type), der.element(0x0c, new TextEncoder().encode(value))));

Deno.test("name text: known types by their abbreviations, others by OID, in order", () => {
  const name = der.sequence(
    attribute("2.5.4.10", "cluster.local"),
    attribute("2.5.4.3", "istiod"),
    attribute("1.2.3", "x"),
  );
  assert.equal(nameText(name), "O=cluster.local, CN=istiod, 1.2.3=x");
  assert.equal(nameText(organizationName(null)), "an empty name");
});

Deno.test("name text: control characters are replaced and the length is bounded", () => {
  assert.equal(nameText(organizationName("a\nINFO b\u2028c\u0085")), "O=a?INFO b?c?");
  assert.equal(nameText(organizationName("x".repeat(10_000))).length, 259);
  assert.equal(nameText(Uint8Array.of(48, 1)), "a malformed name");
});

Deno.test("property: name text never throws", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void nameText(bytes)));
});
