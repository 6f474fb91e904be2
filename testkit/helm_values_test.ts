import { strict as assert } from "node:assert";
import { unknownKeys } from "./helm_values.ts";

const DEFAULTS = { image: { override: null, tag: "1" }, env: {}, volumes: [], level: "info" };

Deno.test("helm values: keys that the chart does not have are named by their path", () => {
  const values = { image: { overide: "x", tag: "2" }, levels: "debug", level: { trace: true } };
  assert.deepEqual(unknownKeys(values, DEFAULTS), ["image.overide", "levels", "level"]);
});

Deno.test("helm values: an empty object, a null and a list of the chart accept anything", () => {
  const values = { image: { override: { any: 1 } }, env: { ANY: "1" }, volumes: [{ name: "a" }] };
  assert.deepEqual(unknownKeys(values, DEFAULTS), []);
});
