import { strict as assert } from "node:assert";
import { parseOptions } from "./options.ts";
import type { Row } from "./row.ts";

const row = (id: string, quick: boolean): Row => ({
  id,
  title: id,
  metrics: [],
  once: false,
  quick,
  measure: () => Promise.resolve(new Map()),
});
const ROWS = [row("up1", true), row("volume", false)];

const ids = (args: string[]) => parseOptions(args, ROWS)?.rows.map((r) => r.id);

Deno.test("options: all rows, the quick ones, the named ones", () => {
  assert.deepEqual(ids([]), ["up1", "volume"]);
  assert.deepEqual(ids(["--quick"]), ["up1"]);
  assert.deepEqual(ids(["--quick", "--rows=volume"]), ["volume"]);
});

Deno.test("options: rounds and seconds replace the plan's", () => {
  const plan = parseOptions(["--quick", "--rounds=3", "--seconds=2"], ROWS)?.plan;
  assert.equal(plan?.rounds, 3);
  assert.equal(plan?.seconds, 2);
});

Deno.test("options: all attacks, or the named ones", () => {
  assert.equal(parseOptions([], ROWS)?.plan.attacks, null);
  assert.deepEqual(parseOptions(["--attacks=ping,half-open-10k"], ROWS)?.plan.attacks, ["ping", "half-open-10k"]);
});

Deno.test("options: help", () => assert.equal(parseOptions(["--help"], ROWS), null));

Deno.test("options: shared mode in addition to dedicated mode", () => {
  assert.deepEqual(parseOptions([], ROWS)?.modes, ["dedicated"]);
  assert.deepEqual(parseOptions(["--shared"], ROWS)?.modes, ["dedicated", "shared"]);
});

for (
  const bad of ["--shared --loopback", "--rows=nope", "--attacks=nope", "--rounds=0", "--seconds=1.5", "--unknown"]
) {
  Deno.test(`options: ${bad} is refused`, () => {
    assert.throws(() => parseOptions(bad.split(" "), ROWS));
  });
}
