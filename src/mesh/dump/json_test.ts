import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { Json } from "./objects.ts";
import { Entries, Items, jsonPieces, jsonText, type Node, PAUSE } from "./json.ts";

Deno.test("config 4.4: keys sorted as text, two spaces, empty values without line breaks", () => {
  const value = { b: [], a: { "80": 1, "443": [true, null, "x\n"] }, c: {}, "": 0.5 };
  assert.equal(
    jsonText(value),
    `{
  "": 0.5,
  "a": {
    "443": [
      true,
      null,
      "x\\n"
    ],
    "80": 1
  },
  "b": [],
  "c": {}
}`,
  );
});

/** The same value, with lists and objects that are made while they are written. */
function streamed(value: Json, pauses: boolean): Node {
  if (typeof value !== "object" || value === null) return value;
  const pause = pauses ? [PAUSE] : [];
  if (Array.isArray(value)) {
    return new Items([...pause, ...value.flatMap((item) => [streamed(item, pauses), ...pause])]);
  }
  const entries = Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1);
  return new Entries([
    ...pause,
    ...entries.flatMap(([key, item]) => [[key, streamed(item as Json, pauses)] as const, ...pause]),
  ]);
}

Deno.test("the pieces of a value join to the text of the whole value, which parses back to it", () => {
  fc.assert(fc.property(fc.jsonValue(), fc.boolean(), fc.nat(3), (json, pauses, level) => {
    const value = json as Json;
    const text = jsonText(value, level);
    assert.equal([...jsonPieces(streamed(value, pauses), level)].join(""), text);
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify(value)));
  }));
});
