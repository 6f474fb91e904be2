import { strict as assert } from "node:assert";
import { parseSample, sumOf } from "./scrape.ts";

Deno.test("scrape: counters are summed over the samples that have the labels", () => {
  const text = `# HELP bytes what came
bytes_total{reporter="source",app="a \\"b\\""} 5
bytes_total{reporter="source",app="c"} 7
bytes_total{reporter="destination",app="c"} 11
other_total 13`;
  const samples = text.split("\n").map(parseSample).filter((sample) => sample !== null);
  assert.equal(samples.length, 4);
  assert.equal(sumOf(samples, "bytes_total", { reporter: "source" }), 12);
  assert.equal(sumOf(samples, "bytes_total", { reporter: "source", app: 'a \\"b\\"' }), 5);
  assert.equal(sumOf(samples, "other_total", {}), 13);
  assert.equal(sumOf(samples, "missing_total", {}), 0);
});
