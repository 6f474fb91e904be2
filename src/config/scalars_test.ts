import { strict as assert } from "node:assert";
import { parseBool, parseCpuQuantity, type Parsed, parseFloat64, parseU16, parseU32, parseU64 } from "./scalars.ts";

type Case = readonly [(text: string) => Parsed<number | boolean>, string, number | boolean | string];

const CASES: readonly Case[] = [
  [parseBool, "true", true],
  [parseBool, "True", "provided string was not `true` or `false`"],
  [parseBool, "", "provided string was not `true` or `false`"],
  [parseU16, "65535", 65535],
  [parseU16, "+7", 7],
  [parseU16, "65536", "number too large to fit in target type"],
  [parseU16, "", "cannot parse integer from empty string"],
  [parseU16, "-1", "invalid digit found in string"],
  [parseU32, "4294967296", "number too large to fit in target type"],
  [parseU32, "4Mi", "invalid digit found in string"],
  [parseU64, "18446744073709551615", 18446744073709551615],
  [parseFloat64, "1.5", 1.5],
  [parseFloat64, "1e1", 10],
  [parseFloat64, "-inf", -Infinity],
  [parseFloat64, "NaN", NaN],
  [parseFloat64, "1.5.1", "invalid float literal"],
  [parseFloat64, "", "cannot parse float from empty string"],
  [parseCpuQuantity, "500m", 0.5],
  [parseCpuQuantity, "0", "must be a positive CPU quantity"],
  [parseCpuQuantity, "nan", "must be a positive CPU quantity"],
  [parseCpuQuantity, "-1", "must be a positive CPU quantity"],
];
for (const [parse, text, expected] of CASES) {
  Deno.test(`config 1.1 ${parse.name} "${text}" gives ${expected}`, () => {
    const result = parse(text);
    assert.equal(result.ok ? result.value : result.reason, expected);
  });
}
