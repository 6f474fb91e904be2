import { strict as assert } from "node:assert";
import { exact, match, policy } from "../testkit/fixture.ts";
import type { Policy } from "../model/model.ts";
import { decisionId, parseDecisionId, revisionOf } from "./decision_id.ts";

const RULES = [[[match({ principals: [exact("td/ns/a/sa/b")], destinationPorts: [80] })]], []];

function revision(fields: Partial<Policy>): string {
  const { key, policy: value } = policy({ name: "p", namespace: "ns", rules: RULES, ...fields });
  return revisionOf(key, value);
}

Deno.test("decision id: a policy has this id on every node and in every version of the proxy", () => {
  assert.equal(revision({}), "f6rrlpyrhrat");
});

Deno.test("decision id: it changes with each field of the policy, and not with the order of fields in memory", () => {
  const changes: Partial<Policy>[] = [
    {},
    { name: "q" },
    { namespace: "other" },
    { scope: "Global" },
    { action: "Deny" },
    { dryRun: true },
    { rules: RULES.slice(1) },
    { rules: RULES.toReversed() },
    ...(Object.keys(match({})) as (keyof ReturnType<typeof match>)[]).map((field) => ({
      rules: [[[match({ [field]: ["x"] as never })]]],
    })),
  ];
  const ids = changes.map(revision);
  assert.equal(new Set(ids).size, changes.length, ids.join());
  const reversed = Object.fromEntries(Object.entries(match({ destinationPorts: [80] })).reverse());
  assert.equal(
    revision({ rules: [[[reversed as never]]] }),
    revision({ rules: [[[match({ destinationPorts: [80] })]]] }),
  );
});

Deno.test("decision id: the parts of an id", () => {
  assert.deepEqual(parseDecisionId(decisionId("abcdefghijkl", 4)), { revision: "abcdefghijkl", rule: 4 });
  for (
    const id of ["", "drain", "abcdefghijkl", "abcdefghijkl.0", "abcdefghijk1.1", "abcdefghijkl.1x", "a".repeat(5000)]
  ) {
    assert.equal(parseDecisionId(id), null, id);
  }
});
