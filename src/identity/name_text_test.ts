import { strict as assert } from "node:assert";
import fc from "fast-check";
import { organizationName } from "./certificate_builder.ts";
import * as der from "./der_write.ts";
import { nameText } from "./name_text.ts";

const attribute = (type: string, value: string) =>
  der.set(der.sequence(der.oid(type), der.element(0x0c, new TextEncoder().encode(value))));

Deno.test("names for people: known types by their letters, others by number, in order", () => {
  const name = der.sequence(
    attribute("2.5.4.10", "cluster.local"),
    attribute("2.5.4.3", "istiod"),
    attribute("1.2.3", "x"),
  );
  assert.equal(nameText(name), "O=cluster.local, CN=istiod, 1.2.3=x");
  assert.equal(nameText(organizationName(null)), "an empty name");
});

Deno.test("names for people: a stranger's name forges no lines and floods no log", () => {
  assert.equal(nameText(organizationName("a\nINFO b\u2028c\u0085")), "O=a?INFO b?c?");
  assert.equal(nameText(organizationName("x".repeat(10_000))).length, 259);
  assert.equal(nameText(Uint8Array.of(48, 1)), "a malformed name");
});

Deno.test("property: any bytes have a text", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => void nameText(bytes)));
});
