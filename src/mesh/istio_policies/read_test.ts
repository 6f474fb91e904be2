import { strict as assert } from "node:assert";
import { ConfigError } from "../../config/error.ts";
import { EMPTY_MATCH, type Match } from "../model/model.ts";
import type { AuthorizationPolicy, IstioObject } from "./objects.ts";
import { readObjects } from "./read.ts";

function read(text: string): readonly IstioObject[] {
  return [...readObjects(text, "file", "istio-system")].flat();
}

function policy(spec: string, metadata = ""): AuthorizationPolicy {
  const [object] = read(`
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: p, namespace: shop${metadata}}
spec: ${spec}`);
  return object as AuthorizationPolicy;
}

function refuses(text: string, message: RegExp): void {
  assert.throws(
    () => read(text),
    (error: unknown) => error instanceof ConfigError && message.test(error.message),
    text,
  );
}

const match = (fields: Partial<Match>): Match => ({ ...EMPTY_MATCH, ...fields });
const exact = (value: string) => ({ kind: "Exact", value }) as const;

Deno.test("istio policies: conditions of from, to and when become clauses", () => {
  const { policy: translated, notes } = policy(`
  action: DENY
  rules:
  - from: [{source: {principals: ["a", "*b", "c*", "*"], notNamespaces: ["n"], ipBlocks: ["10.0.0.1", "fd00::/8"]}}]
    to: [{operation: {ports: ["80", "0443"]}}]
    when: [{key: destination.port, notValues: ["1"]}]`);
  assert.deepEqual(notes, []);
  assert.deepEqual(translated?.rules, [[
    [match({ destinationPorts: [80, 443] })],
    [match({
      principals: [exact("a"), { kind: "Suffix", value: "b" }, { kind: "Prefix", value: "c" }, { kind: "Presence" }],
      notNamespaces: [exact("n")],
      sourceIps: ["10.0.0.1/32", "fd00::/8"] as Match["sourceIps"][number][],
    })],
    [match({ notDestinationPorts: [1] })],
  ]]);
});

Deno.test("istio policies: namespace, mesh and selector decide about the scope", () => {
  assert.equal(policy("{rules: [{}]}").policy?.scope, "Namespace");
  assert.equal(policy("{selector: {matchLabels: {a: b}}, rules: [{}]}").policy?.scope, "WorkloadSelector");
  const [root] = read(
    "{apiVersion: security.istio.io/v1beta1, kind: AuthorizationPolicy, metadata: {name: r, namespace: istio-system}}",
  );
  const { policy: global } = root as AuthorizationPolicy;
  // Without a spec it is an ALLOW without rules, which allows nobody.
  assert.deepEqual([global?.scope, global?.action, global?.rules], ["Global", "Allow", []]);
});

Deno.test("istio policies: conditions on requests leave an ALLOW without the rule, a DENY without the conditions", () => {
  const rules =
    'rules: [{to: [{operation: {methods: ["GET"], ports: ["80"]}}]}, {from: [{source: {namespaces: ["a"]}}]}]';
  const allow = policy(`{${rules}}`);
  assert.deepEqual(allow.policy?.rules, [[[match({ namespaces: [exact("a")] })]]]);
  assert.deepEqual(allow.notes, ["rule 1 is left out, as ztunnel cannot judge requests: it has methods"]);
  const deny = policy(`{action: DENY, ${rules}}`);
  assert.deepEqual(deny.policy?.rules[0], [[match({ destinationPorts: [80] })]]);
  assert.deepEqual(deny.notes, ["rule 1 is enforced without methods, as ztunnel cannot judge requests"]);
  const lost = policy('{rules: [{from: [{source: {trustDomains: ["td"]}}]}]}');
  assert.deepEqual(lost.notes, ["rule 1 is enforced without trustDomains, which istiod does not send to ztunnel"]);
});

Deno.test("istio policies: what is for waypoints or other programs is no policy of ztunnel", () => {
  for (
    const [spec, reason] of [
      ["{action: AUDIT, rules: [{}]}", "its action is AUDIT"],
      ["{action: CUSTOM, provider: {name: opa}, rules: [{}]}", "its action is CUSTOM"],
      [
        '{targetRefs: [{kind: Service, group: "", name: web}], rules: [{}]}',
        "it has targetRefs, so it is for waypoints",
      ],
    ] as const
  ) {
    const { policy: none, notes } = policy(spec);
    assert.deepEqual([none, notes], [null, [`not for ztunnel: ${reason}`]]);
  }
  const dry = policy("{rules: [{}]}", ', annotations: {"istio.io/dry-run": "true"}');
  assert.deepEqual([dry.policy?.dryRun, dry.notes], [true, ["a dry run: it is not enforced"]]);
});

Deno.test("istio policies: several documents and lists, with pods for their labels", () => {
  const objects = read(`
# a comment
---
apiVersion: v1
kind: List
items:
- {apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: a, uid: "1", managedFields: []}, status: {}}
- {apiVersion: v1, kind: Pod, metadata: {name: web-1, namespace: shop, labels: {app: web}}, spec: {containers: []}}
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: b, namespace: shop, creationTimestamp: "2026-01-31T12:00:00Z"}
spec: {selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {"9090": {mode: DISABLE}, 80: {}}}
---
`);
  assert.deepEqual(objects.slice(1), [
    { kind: "Pod", namespace: "shop", name: "web-1", labels: { app: "web" } },
    {
      kind: "PeerAuthentication",
      namespace: "shop",
      name: "b",
      selector: { app: "web" },
      created: "2026-01-31T12:00:00.000Z",
      mode: "STRICT",
      ports: [{ port: 80, mode: "UNSET" }, { port: 9090, mode: "DISABLE" }],
    },
  ]);
  assert.deepEqual([objects[0]?.kind, objects[0]?.namespace], ["AuthorizationPolicy", "default"]);
});

Deno.test("istio policies: mistakes are refused with their place", () => {
  const head = "apiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\nmetadata: {name: p}\n";
  refuses(`---\n${head}spec: {rulez: []}`, /^file:5:8: spec has the unknown key rulez; accepted are selector, /);
  refuses(`${head}spec: {action: deny}`, /^file:4:16: cannot use spec.action "deny": it must be ALLOW or DENY or /);
  refuses(`${head}spec: {action: DENY}`, /^file:4:7: a policy with action DENY and without rules has no effect/);
  refuses(`${head}spec: {rules: [{from: [{}]}]}`, /lacks the key source$/);
  refuses(`${head}spec: {rules: [{to: [{operation: {ports: [80]}}]}]}`, /ports\[0\] 80: it must be a port as a text/);
  refuses(`${head}spec: {selector: {}, targetRefs: [{kind: Service, name: a}]}`, /either a selector or targetRefs/);
  refuses(`${head}spec: {rules: [{when: [{key: foo, values: [a]}]}]}`, /foo is no key that istiod knows$/);
  refuses(`${head}spec: {rules: [*a]}`, /Unresolved alias|is an alias/);
  refuses(`${head}other: 1`, /^file:4:1: AuthorizationPolicy has no other; accepted are /);
  refuses("apiVersion: v1\nkind: Service\nmetadata: {name: a}", /"Service": it must be AuthorizationPolicy, /);
  refuses(
    "apiVersion: v1\nkind: AuthorizationPolicy\nmetadata: {name: a}",
    /"v1": it must be security.istio.io\/v1 or /,
  );
  refuses(head.replace("{name: p}", '{name: "a/b"}'), /metadata.name "a\/b": it must be a name of lower-case/);
  refuses("a: [1, 2", /^file:1:\d+: /);
  refuses("- 1", /the document \(a list\): it must be a map$/);
});

Deno.test("istio policies: short texts that stand for long ones are refused", () => {
  const anchors = Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${`*a${i},`.repeat(9)}]`).join("\n");
  const bomb = `a0: &a0 [x]\n${anchors}\napiVersion: security.istio.io/v1\nkind: AuthorizationPolicy\n` +
    "metadata: {name: p}\nspec: {rules: *a9}";
  refuses(bomb, /has no a0/);
  refuses(
    `apiVersion: security.istio.io/v1\nkind: &k AuthorizationPolicy\nmetadata: {name: *k}`,
    /\*k is an alias: write out/,
  );
  refuses(`${"[".repeat(100_000)}`, /nested too deep|Flow sequence/);
  refuses(`a: ${"x".repeat(300_000)}`, /^file:1: a document has 300003 characters, more than 262144$/);
  refuses("# \n".repeat(400_000), /^file has 1200000 characters, more than 1048576$/);
});
