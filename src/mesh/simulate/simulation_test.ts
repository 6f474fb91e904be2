import { strict as assert } from "node:assert";
import { ConfigError } from "../../config/error.ts";
import { readObjects } from "../istio_policies/read.ts";
import { type Policy, policyKey } from "../model/model.ts";
import { parseSpiffeId } from "../model/workload_identity.ts";
import { MeshState } from "../state/state.ts";
import { match, service, socket, workload } from "../testkit/fixture.ts";
import type { RecordedCall } from "./flow_calls.ts";
import { gatherChanges, parseDeletion } from "./policy_changes.ts";
import type { Change, SimulationResult } from "./result.ts";
import { simulate } from "./simulation.ts";

const WEB = "shop/web.shop.svc.cluster.local";

function pod(name: string, fields: Parameters<typeof workload>[0] = {}) {
  return workload({
    uid: name,
    name,
    namespace: "shop",
    serviceAccount: name,
    canonicalName: name,
    trustDomain: "td",
    protocol: "HBONE",
    ips: [`10.0.0.${name.length}`],
    ...fields,
  });
}

function policy(fields: Partial<Policy>): Policy {
  const defaults = {
    name: "p",
    namespace: "shop",
    scope: "Namespace",
    action: "Allow",
    dryRun: false,
    rules: [],
  } as const;
  return { ...defaults, ...fields };
}

/** `web` with a service, and clients of it. */
function mesh(...policies: readonly Policy[]): MeshState {
  const state = new MeshState();
  const named = policies.filter(({ scope }) => scope === "WorkloadSelector").map((each) =>
    policyKey(`${each.namespace}/${each.name}`)
  );
  state.apply([
    service({
      namespace: "shop",
      hostname: "web.shop.svc.cluster.local",
      name: "web",
      vips: ["/10.9.0.1"],
      ports: { 80: 8080 },
    }),
    pod("web", { services: { [WEB]: { 80: 8080 } }, authorizationPolicies: named }),
    pod("front", { namespace: "edge" }),
    pod("plain", { namespace: "old", protocol: "TCP" }),
    ...policies.map((each) =>
      ({ kind: "policy", key: policyKey(`${each.namespace}/${each.name}`), policy: each }) as const
    ),
  ]);
  return state;
}

interface Question {
  readonly yaml?: string;
  readonly deletions?: readonly string[];
  readonly open?: readonly RecordedCall[];
}

function ask(state: MeshState, { yaml = "", deletions = [], open }: Question): SimulationResult {
  const objects = [...readObjects(yaml, "policies", "istio-system")].flat();
  const changes = gatherChanges(objects, deletions.map((each) => parseDeletion(each)!), "istio-system");
  const steps = simulate({ state, unknownPolicies: "deny", changes, open: open ?? null, ended: null, pairs: true });
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
}

function object(kind: string, spec: string, { name = "p", namespace = "shop" } = {}): string {
  return `---\napiVersion: security.istio.io/v1\nkind: ${kind}\nmetadata: {name: ${name}, namespace: ${namespace}}\nspec: ${spec}\n`;
}

/** `refused front -> web:8080+`; `+` stands for other ports. */
function pairsOf({ pairs }: SimulationResult): string[] {
  return pairs!.changes.map(({ change, source, destinations, otherPorts }) => {
    const to = destinations.map(({ workload, ports }) => `${workload}:${ports.join(",")}${otherPorts ? "+" : ""}`);
    return `${change} ${source.identity?.split("/").at(-1) ?? "plain"} -> ${to.join(" ")}`;
  });
}

Deno.test("simulate: a new policy refuses, for the pairs and ports that it names", () => {
  const result = ask(mesh(), {
    yaml: object(
      "AuthorizationPolicy",
      '{action: DENY, rules: [{from: [{source: {namespaces: ["edge"]}}], to: [{operation: {ports: ["8080"]}}]}]}',
    ),
  });
  assert.deepEqual(pairsOf(result), ["refused front -> web:8080"]);
  const [change] = result.pairs!.changes as [Change];
  const { id, ...before } = change.before;
  assert.deepEqual(before, { allow: true, text: "no allow policies, allow", policy: null, details: [] });
  assert.equal(id, "no-allow-policies");
  assert.deepEqual(change.after, {
    id: change.after.id,
    allow: false,
    text: "deny policy match",
    policy: "shop/p",
    details: ["rule 1: port 8080 is among 8080, namespace edge is among edge"],
  });
  assert.match(change.after.id, /^[a-z2-7]{12}\.1$/);
  assert.deepEqual(result.enumerated, { identities: 2, destinations: 2, groups: 2, changedGroups: 1 });
  assert.deepEqual(result.applied, [{ object: "AuthorizationPolicy shop/p", effect: "added", notes: [] }]);
});

Deno.test("simulate: an ALLOW policy for one client refuses all others, also plain ones", () => {
  const yaml = object("AuthorizationPolicy", '{rules: [{from: [{source: {principals: ["td/ns/edge/sa/front"]}}]}]}');
  assert.deepEqual(pairsOf(ask(mesh(), { yaml })), ["refused plain -> web:8080+", "refused web -> web:8080+"]);
});

Deno.test("simulate: an unchanged policy changes nothing, and a dry run neither", () => {
  const spec = '{rules: [{from: [{source: {namespaces: ["edge"]}}]}]}';
  const [now] = [...readObjects(object("AuthorizationPolicy", spec), "p", "istio-system")].flat();
  assert.ok(now?.kind === "AuthorizationPolicy" && now.policy !== null);
  const same = ask(mesh(now.policy), { yaml: object("AuthorizationPolicy", spec) });
  assert.deepEqual([same.applied[0]?.effect, same.pairs?.changes], ["unchanged", []]);
  const dry = object("AuthorizationPolicy", spec).replace(
    "namespace: shop",
    'namespace: shop, annotations: {istio.io/dry-run: "true"}',
  );
  assert.deepEqual(pairsOf(ask(mesh(), { yaml: dry })), []);
});

Deno.test("simulate: a deletion, and one of a policy that is not there", () => {
  const denied = mesh(policy({ name: "nobody" }));
  const result = ask(denied, { deletions: ["shop/nobody"] });
  assert.deepEqual(pairsOf(result), [
    "allowed plain -> web:8080+",
    "allowed front -> web:8080+",
    "allowed web -> web:8080+",
  ]);
  assert.deepEqual(result.pairs!.changes[0]!.before.text, "no allow policies matched");
  assert.throws(
    () => ask(denied, { deletions: ["shop/nobodi"] }),
    (error: unknown) =>
      error instanceof ConfigError && /does not have it; near names: shop\/nobody/.test(error.message),
  );
});

Deno.test("simulate: what a new selector selects is known by the labels of pods, else by canonical names", () => {
  const select = (labels: string) =>
    object(
      "AuthorizationPolicy",
      `{action: DENY, selector: {matchLabels: ${labels}}, rules: [{from: [{source: {namespaces: ["edge"]}}]}]}`,
    );
  const refused = ["refused front -> web:8080+"];
  const byName = ask(mesh(), { yaml: select("{app: web}") });
  assert.deepEqual(pairsOf(byName), refused);
  assert.match(byName.assumptions.join(), /shop\/p selects workloads by canonical name and revision/);
  assert.deepEqual(pairsOf(ask(mesh(), { yaml: select("{app: cart}") })), []);
  const byGuess = ask(mesh(), { yaml: select("{tier: front}") });
  assert.deepEqual(pairsOf(byGuess), refused);
  assert.match(byGuess.assumptions.join(), /whatever their label tier/);
  const labels = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, namespace: shop, labels: {tier: back}}\n";
  const known = ask(mesh(), { yaml: select("{tier: front}") + labels });
  assert.deepEqual([pairsOf(known), known.assumptions], [[], []]);
});

Deno.test("simulate: a policy with a selector keeps its workloads where labels are not known", () => {
  const now = policy({
    scope: "WorkloadSelector",
    rules: [[[match({ namespaces: [{ kind: "Exact", value: "edge" }] })]]],
  });
  const yaml = object(
    "AuthorizationPolicy",
    '{selector: {matchLabels: {x: y}}, rules: [{from: [{source: {namespaces: ["shop"]}}]}]}',
  );
  const result = ask(mesh(now), { yaml });
  assert.deepEqual(pairsOf(result), ["refused front -> web:8080+", "allowed web -> web:8080+"]);
  assert.deepEqual(result.assumptions, ["shop/p selects the workloads that it selects now"]);
});

Deno.test("simulate: PeerAuthentications of mesh, namespace, workload and port", () => {
  const strict = object("PeerAuthentication", "{mtls: {mode: STRICT}}", { namespace: "istio-system" });
  assert.deepEqual(pairsOf(ask(mesh(), { yaml: strict })), ["refused plain -> web:8080+ front:+"]);
  const here = object("PeerAuthentication", "{mtls: {mode: PERMISSIVE}}");
  assert.deepEqual(pairsOf(ask(mesh(), { yaml: strict + here })), ["refused plain -> front:+"]);
  const port = object(
    "PeerAuthentication",
    '{selector: {matchLabels: {app: web}}, mtls: {mode: STRICT}, portLevelMtls: {"8080": {mode: DISABLE}}}',
  );
  assert.deepEqual(pairsOf(ask(mesh(), { yaml: port })), ["refused plain -> web:+"]);
});

Deno.test("simulate: a deleted PeerAuthentication lets plain clients in again", () => {
  const state = mesh();
  const strict = policy({
    name: "istio_converted_static_strict",
    namespace: "istio-system",
    scope: "WorkloadSelector",
    action: "Deny",
    rules: [[[match({ notPrincipals: [{ kind: "Presence" }] })]]],
  });
  const key = policyKey("istio-system/istio_converted_static_strict");
  state.apply([
    { kind: "policy", key, policy: strict },
    pod("web", { services: { [WEB]: { 80: 8080 } }, authorizationPolicies: [key] }),
  ]);
  const result = ask(state, { deletions: ["PeerAuthentication/shop/default"] });
  assert.deepEqual(pairsOf(result), ["allowed plain -> web:8080+"]);
  assert.match(result.assumptions.join(), /PeerAuthentication shop\/default has no selector/);
  assert.deepEqual(pairsOf(ask(state, { deletions: ["PeerAuthentication/edge/default"] })), []);
});

Deno.test("simulate: addresses of clients and destinations are tried where policies name them", () => {
  const blocks = object("AuthorizationPolicy", '{action: DENY, rules: [{from: [{source: {ipBlocks: ["10.0.0.5"]}}]}]}');
  const result = ask(mesh(), { yaml: blocks });
  assert.deepEqual(pairsOf(result), ["refused plain -> web:8080+", "refused front -> web:8080+"]);
  assert.deepEqual(result.pairs!.changes.map(({ source }) => source.address), ["10.0.0.5", "10.0.0.5"]);
  const to = object(
    "AuthorizationPolicy",
    '{action: DENY, rules: [{when: [{key: destination.ip, values: ["10.0.0.9"]}]}]}',
  );
  assert.deepEqual(pairsOf(ask(mesh(), { yaml: to })), []);
});

Deno.test("simulate: open connections are counted by client and destination", () => {
  const state = mesh();
  const destination = state.workload("web" as never)!;
  const call = (id: string, identity: string): RecordedCall => ({
    call: {
      destination,
      source: socket("10.0.0.5:1000"),
      target: socket("10.0.0.3:8080"),
      identity: parseSpiffeId(identity),
    },
    source: "edge/front",
    id,
  });
  const open = [
    ...["1", "2", "3", "4"].map((id) => call(id, "spiffe://td/ns/edge/sa/front")),
    call("5", "spiffe://td/ns/shop/sa/web"),
    { call: null, source: null, id: "6" },
  ];
  const deny = '{action: DENY, rules: [{from: [{source: {namespaces: ["edge"]}}]}]}';
  const { connections } = ask(state, { yaml: object("AuthorizationPolicy", deny), open });
  const [change, ...more] = connections!.changes;
  assert.deepEqual([connections!.evaluated, connections!.skipped, connections!.refused, more], [5, 1, 4, []]);
  assert.deepEqual([change!.count, change!.ids], [4, ["1", "2", "3"]]);
});
