import { strict as assert } from "node:assert";
import { authorize, type Call, type DryRun, type Verdict } from "./authorize.ts";
import type { MeshChange } from "../model/changes.ts";
import { exact, match, policy, socket, stateOf, workload } from "../testkit/fixture.ts";
import { type Policy, policyKey, type Rule } from "../model/model.ts";
import { parseSpiffeId } from "../model/workload_identity.ts";

function namespaces(...names: string[]): Rule {
  return [[match({ namespaces: names.map(exact) })]];
}

function account(name: string): Rule[] {
  return [[[match({ principals: [exact(`cluster.local/ns/default/sa/${name}`)] })]]];
}

function call(fields: Partial<Call> & { readonly as?: string }): Call {
  const { as, ...rest } = fields;
  return {
    destination: workload({ namespace: "ns1" }).workload,
    source: socket("127.0.0.1:1234"),
    identity: as === undefined ? null : parseSpiffeId(`spiffe://cluster.local/${as}`)!,
    target: socket("127.0.0.2:8080"),
    ...rest,
  };
}

/** `allow`, or the reason in the text of the refusal. */
function summary(verdict: Verdict): string {
  assert.equal(verdict.allow, verdict.message === null);
  return verdict.message === null
    ? "allow"
    : verdict.message.replace("connection closed due to policy rejection: ", "");
}

function in1(fields: Partial<Policy>): MeshChange {
  return policy({ namespace: "ns1", ...fields });
}

const WILDCARD = [[[match({ principals: [{ kind: "Presence" }] })]]];
const MIXED = [
  in1({ name: "dry-allow", dryRun: true, rules: WILDCARD }),
  in1({ name: "dry-deny", dryRun: true, action: "Deny", rules: WILDCARD }),
  in1({ name: "foo", rules: account("defaultacct") }),
  in1({ name: "deny", action: "Deny", rules: account("denyacct") }),
];

const VERDICTS: readonly [string, readonly MeshChange[], Call, string][] = [
  [
    "xds X260",
    MIXED,
    call({ as: "ns/default/sa/not-defaultacct", destination: workload({ namespace: "ns2" }).workload }),
    "allow",
  ],
  ["xds X261, dataplane CM-09", MIXED, call({ as: "ns/default/sa/defaultacct" }), "allow"],
  [
    "xds X262, dataplane CM-07, config C51",
    MIXED,
    call({ as: "ns/default/sa/not-defaultacct" }),
    "allow policies exist, but none allowed",
  ],
  ["xds X263, dataplane CM-06", MIXED, call({ as: "ns/default/sa/denyacct" }), "explicitly denied by: ns1/deny"],
  ["xds X264", [], call({}), "allow"],
  ["dataplane CM-05", [in1({ name: "deny", action: "Deny" })], call({}), "allow"],
  ["dataplane CM-08", [in1({ name: "dry", dryRun: true })], call({}), "allow"],
  ["xds X270, X280", [in1({ name: "nothing" })], call({}), "allow policies exist, but none allowed"],
  ["xds X271", [in1({ name: "nothing", action: "Deny" })], call({}), "allow"],
  [
    "xds X268, dataplane IN-18",
    [in1({ rules: [[[match({ principals: [exact("spiffe://cluster.local/ns/default/sa/waypoint")] })]]] })],
    call({ as: "ns/istio-system/sa/ztunnel" }),
    "allow policies exist, but none allowed",
  ],
  [
    "xds X53: global deny of port 80",
    [policy({ scope: "Global", action: "Deny", rules: [[[match({ destinationPorts: [80] })]]] })],
    call({ target: socket("1.2.3.4:80") }),
    "explicitly denied by: ns/policy",
  ],
  [
    "xds X53: global deny of port 80, another port",
    [policy({ scope: "Global", action: "Deny", rules: [[[match({ destinationPorts: [80] })]]] })],
    call({ target: socket("1.2.3.4:81") }),
    "allow",
  ],
  [
    "xds 3.7: a namespace policy of the empty namespace is global",
    [policy({ namespace: "", action: "Deny", rules: [[]] })],
    call({}),
    "explicitly denied by: /policy",
  ],
  [
    "xds 5.1: a selector policy that nobody names",
    [in1({ scope: "WorkloadSelector", action: "Deny", rules: [[]] })],
    call({}),
    "allow",
  ],
  [
    "xds 5.1: a selector policy that the workload names",
    [in1({ scope: "WorkloadSelector", action: "Deny", rules: [[]] })],
    call({ destination: workload({ authorizationPolicies: [policyKey("ns1/policy")] }).workload }),
    "explicitly denied by: ns1/policy",
  ],
];

for (const [id, policies, asked, expected] of VERDICTS) {
  Deno.test(`${id}: ${expected}`, () => {
    const state = stateOf(...policies);
    const verdict = authorize(state, asked);
    assert.equal(summary(verdict), expected);
    const traced = authorize(state, asked, "deny", []);
    assert.deepEqual({ ...traced, because: [] }, verdict, "explaining changes nothing");
    assert.equal(traced.because.at(-1)?.rule, "authorize.verdict");
  });
}

const withoutId = ({ text, policy }: DryRun) => ({ text, policy });

Deno.test("xds X265: dry runs are reported, not enforced", () => {
  const state = stateOf(
    in1({ name: "real-deny", action: "Deny", rules: account("denyacct") }),
    in1({
      name: "dry-run-deny",
      action: "Deny",
      dryRun: true,
      rules: [...account("defaultacct"), ...account("denyacct")],
    }),
    in1({ name: "real-allow", rules: account("defaultacct") }),
    in1({ name: "dry-run-allow", dryRun: true, rules: account("defaultacct") }),
  );
  const verdict = authorize(state, call({ as: "ns/default/sa/defaultacct" }));
  assert.equal(verdict.decision, "allow policy match");
  assert.deepEqual(verdict.dryRuns.map(withoutId), [
    { text: "dry-run: deny policy match", policy: "ns1/dry-run-deny" },
    { text: "dry-run: allow policy match", policy: "ns1/dry-run-allow" },
  ]);
  const denied = authorize(state, call({ as: "ns/default/sa/denyacct" }));
  assert.deepEqual(denied.dryRuns.map(withoutId), [{ text: "dry-run: deny policy match", policy: "ns1/dry-run-deny" }]);
});

Deno.test("xds X266: a dry-run allow policy alone, not matching", () => {
  const verdict = authorize(stateOf(in1({ dryRun: true, rules: account("other") })), call({}));
  assert.equal(verdict.decision, "no allow policies, allow");
  assert.deepEqual(verdict.dryRuns, [{
    text: "dry-run: no allow policies match",
    policy: null,
    id: "dry-run-no-allow-match",
  }]);
});

Deno.test("xds X291: a dry-run deny policy does not refuse", () => {
  const state = stateOf(in1({ action: "Deny", dryRun: true, rules: [[]] }));
  assert.equal(authorize(state, call({})).allow, true);
});

Deno.test("xds X267, observed O4: a workload references a policy that has not arrived", () => {
  const destination = workload({ authorizationPolicies: [policyKey("ns1/late")] }).workload;
  const state = stateOf();
  const closed = authorize(state, call({ destination }));
  assert.equal(summary(closed), "policy is not known yet: ns1/late");
  assert.equal(closed.decision, "unknown policy, deny");
  const open = authorize(state, call({ destination }), "skip");
  assert.equal(summary(open), "allow");
  assert.deepEqual(open.unknown, ["ns1/late"]);
  state.apply([in1({ name: "late", scope: "WorkloadSelector", action: "Deny" })]);
  assert.equal(summary(authorize(state, call({ destination }))), "allow", "it came, and does not match");
});

Deno.test("xds X53, X290: a verdict follows every change of the policies", () => {
  const state = stateOf();
  const asked = call({ as: "ns/default/sa/a" });
  assert.equal(authorize(state, asked).allow, true);
  state.apply([in1({ name: "b", rules: account("b") })]);
  assert.equal(authorize(state, asked).allow, false);
  state.apply([in1({ name: "a", rules: account("a") })]);
  assert.equal(authorize(state, asked).allow, true);
  state.apply([{ kind: "remove-policy", key: policyKey("ns1/a") }]); // X293
  assert.equal(authorize(state, asked).allow, false);
  state.apply([{ kind: "remove-policy", key: policyKey("ns1/b") }]);
  assert.equal(authorize(state, asked).allow, true);
});

Deno.test("xds X249 to X254: rules, clauses and matches", () => {
  const both: Rule = [
    [match({ namespaces: [exact("a")] }), match({ namespaces: [exact("b")] })],
    [match({ destinationPorts: [80] })],
  ];
  const matches = (rules: Rule[], namespace: string, port: number) => {
    const state = stateOf(in1({ action: "Deny", rules }));
    return !authorize(state, call({ as: `ns/${namespace}/sa/x`, target: socket(`10.0.0.1:${port}`) })).allow;
  };
  assert.equal(matches([both], "a", 80), true);
  assert.equal(matches([both], "b", 80), true);
  assert.equal(matches([both], "bad", 80), false);
  assert.equal(matches([both], "b", 12345), false);
  const either = [namespaces("a"), namespaces("b")];
  assert.deepEqual(["a", "b", "bad"].map((namespace) => matches(either, namespace, 80)), [true, true, false]);
});
