import { strict as assert } from "node:assert";
import { tempDir } from "../lab/temp_dir.ts";
import { runTests } from "./test_process.ts";

const MANNER = { label: "some", filter: undefined, checked: true, output: "late" } as const;
const never = new AbortController().signal;

Deno.test("test process: what it ran, left and ended with; files below a folder share an isolate", async () => {
  using folder = tempDir();
  const one = folder.write("one_test.ts", `globalThis.told = "told"; Deno.test("one", () => {});`);
  const two = folder.write("two_test.ts", `Deno.test(globalThis.told ?? "not told", () => {});`);
  const three = folder.write("left_test.ts", `Deno.test("three", () => void Deno.makeTempFileSync({ prefix: "x" }));`);
  const together = await runTests({ ...MANNER, files: [one, two], together: folder.path }, never);
  assert.deepEqual(together.cases.map(({ name }) => name), ["one", "told"]);
  assert.deepEqual([together.left, together.code], [[], 0]);
  const apart = await runTests({ ...MANNER, files: [one, two, three] }, never);
  assert.deepEqual(apart.cases.map(({ name }) => name).sort(), ["not told", "one", "three"]);
  assert.match(apart.left.join(), /^file x[0-9a-f]+$/);
});

Deno.test("test process: it is killed when the run is interrupted", async () => {
  using folder = tempDir();
  const endless = folder.write("endless_test.ts", `Deno.test("endless", () => { for (;;); });`);
  const stop = new AbortController();
  const run = runTests({ ...MANNER, files: [endless] }, stop.signal);
  stop.abort();
  assert.deepEqual(await run, { label: "some", cases: [], left: [], code: null });
});
