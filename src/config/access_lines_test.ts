import { strict as assert } from "node:assert";
import { describeAccessLines, parseAccessFields, parseAccessMode, parseSample } from "./access_lines.ts";

Deno.test("access lines: modes and samples", () => {
  for (const mode of ["all", "failures", "off"]) assert.deepEqual(parseAccessMode(mode), { ok: true, value: mode });
  for (const text of ["", "ALL", "none", "true"]) assert.equal(parseAccessMode(text).ok, false, text);
  const samples = { "0": 0, "1": 1, "0.25": 0.25, "10%": 0.1, "100%": 1, "0%": 0, "+.5": 0.5, "1e-3": 0.001 };
  for (const [text, value] of Object.entries(samples)) assert.deepEqual(parseSample(text), { ok: true, value }, text);
  for (const text of ["", "%", "-0.1", "1.01", "101%", "NaN", "inf", "a", "10 %", "1%%"]) {
    assert.equal(parseSample(text).ok, false, text);
  }
});

Deno.test("access lines: fields", () => {
  for (const text of ["default", "extended"]) assert.deepEqual(parseAccessFields(text), { ok: true, value: text });
  for (const text of ["", "all", "Extended"]) assert.equal(parseAccessFields(text).ok, false, text);
});

Deno.test("access lines: in words", () => {
  assert.equal(describeAccessLines({ mode: "all", sample: 1, fields: "default" }), "all");
  assert.equal(describeAccessLines({ mode: "all", sample: 0.07, fields: "default" }), "failures and 7 % of successes");
  assert.equal(
    describeAccessLines({ mode: "all", sample: 0.0001, fields: "default" }),
    "failures and 0.01 % of successes",
  );
  assert.equal(
    describeAccessLines({ mode: "failures", sample: 0.5, fields: "extended" }),
    "failures, with extended fields",
  );
  assert.equal(describeAccessLines({ mode: "off", sample: 1, fields: "default" }), "off");
});
