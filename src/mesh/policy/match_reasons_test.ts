import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ConnectionFacts } from "./connection_facts.ts";
import { exact, match, policy, socket } from "../testkit/fixture.ts";
import type { Match, Rule } from "../model/model.ts";
import { CompiledPolicy } from "./matcher.ts";
import { policyReason } from "./match_reasons.ts";
import { parseSpiffeId } from "../model/workload_identity.ts";

const CLIENT = new ConnectionFacts(
  socket("10.0.0.1:40000"),
  parseSpiffeId("spiffe://td/ns/app/sa/client"),
  socket("10.0.0.2:8080"),
);
const PLAIN = new ConnectionFacts(socket("10.0.0.1:40000"), null, socket("10.0.0.2:8080"));

function details(rules: readonly Rule[], facts = CLIENT): readonly string[] {
  const { key, policy: value } = policy({ name: "p", rules });
  const compiled = new CompiledPolicy(key, value);
  return policyReason(compiled, facts, compiled.matches(facts)).details!;
}

const CASES: readonly (readonly [string, readonly Rule[], readonly string[], ConnectionFacts?])[] = [
  ["no rules", [], ["it has no rules"]],
  ["no conditions", [[]], ["rule 1: it has no conditions"]],
  ["an empty condition", [[[]]], ["rule 1: it has no conditions"]],
  ["a condition of nothing", [[[match({})]]], ["rule 1: it has a condition without content, which never holds"]],
  [
    "the rule that holds, with what it looked at",
    [
      [[match({ destinationPorts: [9000] })]],
      [[match({ destinationPorts: [8080, 9000], notPrincipals: [exact("td/ns/x/sa/y")] })], [
        match({ sourceIps: ["10.0.0.0/8" as never] }),
      ]],
    ],
    [
      "rule 2: port 8080 is among 8080, 9000, principal td/ns/app/sa/client is not among the excluded td/ns/x/sa/y, " +
      "source 10.0.0.1 is among 10.0.0.0/8",
    ],
  ],
  [
    "each rule that fails, by its first condition that does",
    [
      [[match({ destinationPorts: [8080] })], [match({ namespaces: [exact("x")] })]],
      [[
        match({ notDestinationIps: ["10.0.0.2/32" as never] }),
        match({ principals: [{ kind: "Suffix", value: "/z" }] }),
      ]],
      [[match({ notServiceAccounts: [{ namespace: "app", serviceAccount: "client" }] })]],
    ],
    [
      "rule 1: namespace app is not among x",
      "rule 2: destination 10.0.0.2 is among the excluded 10.0.0.2/32; and " +
      "principal td/ns/app/sa/client is not among */z",
      "rule 3: service account app/client is among the excluded app/client",
    ],
  ],
  [
    "a peer without identity",
    [[[match({ principals: [{ kind: "Presence" }] })]], [[match({ namespaces: [{ kind: "Prefix", value: "a" }] })]]],
    ["rule 1: principal (none) is not among * (any)", "rule 2: namespace (none) is not among a*"],
    PLAIN,
  ],
  [
    "long lists are cut",
    [[[match({ destinationPorts: Array.from({ length: 20 }, (_, i) => i + 1) })]]],
    ["rule 1: port 8080 is not among 1, 2, 3, 4, 5, 6, 7, 8, 12 more"],
  ],
];

for (const [name, rules, expected, facts] of CASES) {
  Deno.test(`why a policy matches or not: ${name}`, () => assert.deepEqual(details(rules, facts), expected));
}

Deno.test("rules beyond the eighth are counted", () => {
  const lines = details(Array.from({ length: 12 }, () => [[match({ destinationPorts: [1] })]]));
  assert.equal(lines.length, 9);
  assert.equal(lines.at(-1), "4 more rules that do not hold");
});

const MATCHES = fc.constantFrom<Match>(
  match({}),
  match({ destinationPorts: [8080] }),
  match({ notDestinationPorts: [8080] }),
  match({ principals: [exact("td/ns/app/sa/client")] }),
  match({ notPrincipals: [{ kind: "Presence" }] }),
  match({ namespaces: [exact("app")], notSourceIps: ["10.0.0.1/32" as never] }),
);
const RULES = fc.array(fc.array(fc.array(MATCHES, { maxLength: 3 }), { maxLength: 3 }), { maxLength: 4 });

Deno.test("a policy matches exactly when one of its findings holds", () => {
  fc.assert(fc.property(RULES, fc.constantFrom(CLIENT, PLAIN), (rules, facts) => {
    const { key, policy: value } = policy({ rules });
    const compiled = new CompiledPolicy(key, value);
    const findings = compiled.findings(facts);
    assert.equal(findings.length, rules.length);
    assert.equal(findings.some(({ holds }) => holds), compiled.matches(facts));
    assert.equal(policyReason(compiled, facts, compiled.matches(facts)).subject, key);
  }));
});
