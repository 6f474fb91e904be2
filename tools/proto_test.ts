import { strict as assert } from "node:assert";
import { generate } from "./proto.ts";

Deno.test("proto/gen is what the schemas give", async () => {
  const folder = new URL("../proto/gen/", import.meta.url);
  const wanted = await generate();
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  assert.deepEqual(names.sort(), [...wanted.keys()].sort());
  for (const [name, text] of wanted) {
    assert(Deno.readTextFileSync(new URL(name, folder)) === text, `proto/gen/${name} is stale: run deno task proto`);
  }
});
