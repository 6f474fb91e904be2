import { strict as assert } from "node:assert";
import fc from "fast-check";
import { chooseCoding } from "./content_coding.ts";

const CASES: readonly (readonly [string[], string | null])[] = [
  [[], "identity"],
  [["gzip"], "gzip"],
  [["gzip, br, zstd, deflate"], "zstd"],
  [["gzip", "br"], "br"],
  [["deflate, GZIP"], "gzip"],
  [["gzip;q=0.5, br;q=0.4"], "gzip"],
  [["gzip;q=0"], "identity"],
  [["gzip; q=0.1"], "gzip"],
  [["identity;q=1, gzip;q=0.5"], "identity"],
  [["identity;q=0"], null],
  [["identity;q=0, gzip"], "gzip"],
  [["*"], "zstd"],
  [["*;q=0"], null],
  [["*;q=0, br"], "br"],
  [["compress"], "identity"],
  [["gzip;q=loud"], "identity"],
];
for (const [values, coding] of CASES) {
  Deno.test(`config 5.1 Accept-Encoding ${JSON.stringify(values)} gives ${coding}`, () => {
    assert.equal(chooseCoding(values), coding);
  });
}

Deno.test("config 5.1 any value gives a coding or none", () => {
  fc.assert(fc.property(fc.array(fc.string()), (values) => void chooseCoding(values)));
});
