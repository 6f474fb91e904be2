import { strict as assert } from "node:assert";
import { exact, match } from "../testkit/fixture.ts";
import type { Rule } from "../model/model.ts";
import { ruleText } from "./rule_text.ts";

const CASES: readonly (readonly [Rule, string])[] = [
  [[], "it has no conditions"],
  [[[]], "it has no conditions"],
  [[[match({})]], "never, as it has a condition without content"],
  [
    [[match({ principals: [exact("a"), { kind: "Prefix", value: "b" }], destinationPorts: [80] })]],
    "principal is a or b*, port is 80",
  ],
  [
    [[match({ namespaces: [exact("x")] }), match({ notDestinationPorts: [1] })], [
      match({ sourceIps: ["10.0.0.0/8" as never] }),
    ]],
    "(namespace is x) or (port is not 1); and source is in 10.0.0.0/8",
  ],
];

for (const [rule, text] of CASES) {
  Deno.test(`rule text: ${text}`, () => assert.equal(ruleText(rule), text));
}

Deno.test("rule text: bounded", () => {
  const text = ruleText([[match({ namespaces: Array.from({ length: 9 }, () => exact("x".repeat(500))) })]]);
  assert.equal(text.length, 1001);
});
