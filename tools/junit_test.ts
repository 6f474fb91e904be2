import { strict as assert } from "node:assert";
import { parseJunit } from "./junit.ts";

const REPORT = `<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deno test" tests="5" failures="2" errors="0" time="0.100">
  <testsuite name="./a_test.ts" tests="5" disabled="1" errors="0" failures="2">
    <testcase name="plain" classname="./a_test.ts" time="0.000" line="1" col="6">
    </testcase>
    <testcase name="a &lt;b&gt; &amp; &quot;c&quot; &#39;d&#x27; [skipped: x]" classname="./a_test.ts" time="0.000">
      <skipped/>
    </testcase>
    <testcase name="steps" classname="./a_test.ts" time="0.002">
      <failure message="1 test step failed">1 test step failed.</failure>
    </testcase>
    <testcase name="steps &gt; one" classname="./a_test.ts" time="0.000">
    </testcase>
    <testcase name="steps &gt; two" classname="./a_test.ts" time="0.001">
      <failure message="boom">saw &lt;skipped/&gt;</failure>
    </testcase>
    <testcase name="1 &gt; 0" classname="./a_test.ts" time="0.000">
    </testcase>
  </testsuite>
</testsuites>`;

Deno.test("junit: outcomes, escapes, and steps counted with their test", () => {
  assert.deepEqual(parseJunit(REPORT).map(({ name, outcome }) => [name, outcome]), [
    ["plain", "passed"],
    [`a <b> & "c" 'd' [skipped: x]`, "skipped"],
    ["steps", "failed"],
    ["1 > 0", "passed"],
  ]);
});

Deno.test("junit: nothing in, nothing out", () => {
  assert.deepEqual(parseJunit(""), []);
  assert.deepEqual(parseJunit("<testsuites><testcase name="), []);
});
