import { strict as assert } from "node:assert";
import { JsonBytes, jsonConstant } from "./json_bytes.ts";

const textOf = (json: JsonBytes) => new TextDecoder("utf-8", { fatal: true }).decode(json.written);

Deno.test("json bytes: numbers", () => {
  const numbers = [0, 7, 9, 10, 99, 100, 12_345, 0x7fffffff, 0x80000000, 2 ** 53 - 1, 1e21, -1, 1.5, null];
  const json = new JsonBytes();
  for (const number of numbers) {
    json.clear();
    json.number(number);
    assert.equal(textOf(json), JSON.stringify(number));
  }
});

Deno.test("json bytes: any text is one JSON string", () => {
  const json = new JsonBytes();
  for (
    const text of ["", "cart.shop", 'a"b', "\\", "\n", "\u007f", "ü€😀", "\ud800", "\u2028", "x".repeat(5000), null]
  ) {
    json.clear();
    json.text(text);
    assert.equal(textOf(json), JSON.stringify(text));
  }
});

Deno.test("json bytes: what is written before and behind a text that has to be escaped stays", () => {
  const json = new JsonBytes();
  json.constant(jsonConstant('{"a":'));
  json.text(`${"b".repeat(3000)}"`);
  json.constant(jsonConstant(',"c":'));
  json.ascii('xx"d"xx', 2, 5);
  json.constant(jsonConstant(',"e":'));
  json.json(["é"]);
  json.constant(jsonConstant(`,"f":"${"€".repeat(300)}"`));
  json.raw(new TextEncoder().encode(',"g":"ü"'));
  json.ascii("}");
  assert.deepEqual(JSON.parse(textOf(json)), {
    a: `${"b".repeat(3000)}"`,
    c: "d",
    e: ["é"],
    f: "€".repeat(300),
    g: "ü",
  });
});

Deno.test("json bytes: what was written is seen after each change", () => {
  const json = new JsonBytes();
  json.text("ab");
  assert.equal(textOf(json), '"ab"');
  json.clear();
  json.text("cd");
  assert.equal(textOf(json), '"cd"');
  json.ascii("x".repeat(3000));
  assert.equal(textOf(json).length, 3004);
  json.clear();
  json.text("ef");
  assert.equal(textOf(json), '"ef"');
});
