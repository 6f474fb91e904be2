import { strict as assert } from "node:assert";
import { parseOptions, USAGE } from "./options.ts";

Deno.test("demo: options", () => {
  assert.deepEqual(parseOptions([]), { once: false, bytes: 1e9 });
  assert.deepEqual(parseOptions(["--once", "--bytes=50MB"]), { once: true, bytes: 50e6 });
  assert.equal(parseOptions(["--help"]), USAGE);
});

for (const wrong of ["--bytes=50", "--bytes=0MB", "--bytes=-1MB", "--bytes=1TB", "--once=no", "--other", "more"]) {
  Deno.test(`demo: "${wrong}" is refused with a reason`, () => {
    const answer = parseOptions([wrong]);
    assert.ok(typeof answer === "string" && answer !== USAGE);
  });
}
