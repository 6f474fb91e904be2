/** Ids of decisions in the lines, the table and the counts of a pod's proxy. */
import { strict as assert } from "node:assert";
import { rawClient } from "../hbone/testkit/peer.ts";
import { decisionRows } from "../mesh/explain/decision.ts";
import { EMPTY_MATCH, keyOfPolicy, type Policy } from "../mesh/model/model.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { at, echo, Testbed, type TestNode } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const PEER = "spiffe://cluster.local/ns/default/sa/peer";

function policyTo(port: number, action: Policy["action"]): MeshChange {
  const rules = [[[{ ...EMPTY_MATCH, destinationPorts: [1] }]], [[{ ...EMPTY_MATCH, destinationPorts: [port] }]]];
  const policy: Policy = { name: "p", namespace: "default", scope: "Namespace", action, dryRun: false, rules };
  return { kind: "policy", key: keyOfPolicy(policy), policy };
}

function scene() {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(PEER));
  const open = (port: number) => {
    peer.open([[":method", "CONNECT"], [":authority", `${SERVER}:${port}`]]);
    bed.run();
  };
  return { bed, server, open };
}

const idsOf = ({ allFields }: TestNode) =>
  allFields.flatMap((line) => / access .* decision\.id=(\S+)$/.exec(line)?.[1] ?? []);
const tableOf = ({ plane }: TestNode) => [...plane.openFlows(null)].flatMap(({ parts }) => parts?.decision ?? []);
const rowsOf = ({ plane: { state, decisions: counts } }: TestNode, id: string | null) =>
  [...decisionRows({ state, counts, date: () => null }, id)].filter((row) => row !== null);

Deno.test("decision ids: of a rule that allows, in the table; of no policy that allows, in the line of the refusal", () => {
  const { bed, server, open } = scene();
  bed.apply(policyTo(8080, "Allow"));
  open(8080);
  open(9090);
  const [id] = tableOf(server);
  assert.match(id!, /^[a-z2-7]{12}\.2$/);
  assert.deepEqual(idsOf(server), ["no-allow-match"]);
  assert.deepEqual(rowsOf(server, id!).map(({ text, count }) => [text, count]), [[
    "allowed by rule 2 of policy default/p",
    1,
  ]]);
});

Deno.test("decision ids: a connection that a policy change ends has the id of the rule that ends it", () => {
  const { bed, server, open } = scene();
  open(8080);
  assert.deepEqual(tableOf(server), ["no-allow-policies"]);
  bed.apply(policyTo(8080, "Deny"));
  const [id] = idsOf(server);
  assert.match(id!, /^[a-z2-7]{12}\.2$/);
  assert.deepEqual(rowsOf(server, null).map(({ id, count }) => [id, count]), [[id, 1], ["no-allow-policies", 1]]);
});

Deno.test("decision ids: refusals by the rules of the mesh have ids too", () => {
  const { server, open } = scene();
  open(15001);
  assert.deepEqual(idsOf(server), ["recursive-call"]);
  assert.match(rowsOf(server, "recursive-call")[0]!.text, /^refused: the destination is a port of this proxy/);
});

Deno.test("decision ids: every node has the same for the same policy", () => {
  const ids = [1, 2].map(() => {
    const { bed, server, open } = scene();
    bed.apply(policyTo(8080, "Deny"));
    open(8080);
    return idsOf(server)[0];
  });
  assert.equal(ids[0], ids[1]);
  assert.ok(ids[0]);
});
