import { strict as assert } from "node:assert";
import fc from "fast-check";
import * as der from "./der_write.ts";
import { nameKey, sameName } from "./name_match.ts";

const UTF8 = 0x0c, PRINTABLE = 0x13, T61 = 0x14, IA5 = 0x16;
const attribute = (type: string, value: string, tag = UTF8) =>
  der.sequence(der.oid(type), der.element(tag, new TextEncoder().encode(value)));
const cn = (value: string, tag = UTF8) => der.sequence(der.set(attribute("2.5.4.3", value, tag)));

const SAME: readonly (readonly [what: string, a: Uint8Array, b: Uint8Array])[] = [
  ["itself", cn("Root"), cn("Root")],
  ["another encoding of text", cn("Root"), cn("Root", PRINTABLE)],
  ["other letters in case", cn("Root CA", PRINTABLE), cn("rOOT ca")],
  ["spaces around and between", cn("Root CA"), cn("  Root   CA ")],
  ["composed and decomposed letters", cn("Zo\u00eb"), cn("Zoe\u0308")],
  ["a domain component", cn("Example", IA5), cn("example", IA5)],
  [
    "attributes of one RDN in another order",
    der.sequence(der.set(attribute("2.5.4.3", "a"), attribute("2.5.4.10", "b"))),
    der.sequence(der.set(attribute("2.5.4.10", "b"), attribute("2.5.4.3", "a"))),
  ],
];
for (const [what, a, b] of SAME) {
  Deno.test(`names, RFC 5280 7.1: equal: ${what}`, () => {
    assert.equal(sameName(a, b), true);
    assert.equal(sameName(b, a), true);
  });
}

const DIFFERENT: readonly (readonly [what: string, a: Uint8Array, b: Uint8Array])[] = [
  ["another text", cn("Root"), cn("Root 2")],
  ["words run together", cn("Root CA"), cn("RootCA")],
  ["another attribute", cn("Root"), der.sequence(der.set(attribute("2.5.4.10", "Root")))],
  [
    "two RDNs in another order",
    der.sequence(der.set(attribute("2.5.4.3", "a")), der.set(attribute("2.5.4.10", "b"))),
    der.sequence(der.set(attribute("2.5.4.10", "b")), der.set(attribute("2.5.4.3", "a"))),
  ],
  ["a part of the name", cn("a"), der.sequence(der.set(attribute("2.5.4.3", "a")), der.set(attribute("2.5.4.3", "b")))],
  ["a string of an encoding that is compared by bytes", cn("root", T61), cn("Root", T61)],
  ["two malformed ones", Uint8Array.of(48, 1), Uint8Array.of(48, 2)],
  ["text that imitates the form of the key", cn('a","2.5.4.3 =b'), cn("a")],
];
for (const [what, a, b] of DIFFERENT) {
  Deno.test(`names, RFC 5280 7.1: not equal: ${what}`, () => assert.equal(sameName(a, b), false));
}

Deno.test("property: nameKey never throws, and any bytes are equal to themselves", () => {
  fc.assert(fc.property(fc.uint8Array(), (bytes) => {
    void nameKey(bytes);
    assert.equal(sameName(bytes, bytes.slice()), true);
  }));
});
