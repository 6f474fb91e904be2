import { strict as assert } from "node:assert";
import fc from "fast-check";
import { parseSpiffeId, parseWorkloadId } from "./spiffe_id.ts";
import { formatWorkloadIdentity, invalidIdentity, parseWorkloadIdentity } from "./workload_identity.ts";

const lenient: readonly [vector: string, text: string, parts: readonly [string, string, string] | null][] = [
  [
    "identity I1",
    "spiffe://cluster.local/ns/namespace/sa/service-account",
    ["cluster.local", "namespace", "service-account"],
  ],
  ["identity I2", "spiffe://td/ns/ns/sa/sa", ["td", "ns", "sa"]],
  ["identity I3", "spiffe://td.with.dots/ns/ns.with.dots/sa/sa.with.dots", [
    "td.with.dots",
    "ns.with.dots",
    "sa.with.dots",
  ]],
  ["identity I4", "spiffe://td/ns//sa/", ["td", "", ""]],
  ["identity I5", "td/ns/ns/sa/sa", null],
  ["identity I6", "spiffe://td/ns/ns/sa", null],
  ["identity I7", "spiffe://td/ns/ns/sa/sa/", null],
  ["identity I8", "spiffe://td/ns/ns/foobar/sa/", null],
  ["identity I9", "SPIFFE://td/ns/a/sa/b", null],
  ["identity I10", "spiffe:///ns/a/sa/b", ["", "a", "b"]],
  ["identity I11", "spiffe://td/NS/a/sa/b", null],
  ["identity I12", "spiffe://td/ns/a/sa/b?x=1", ["td", "a", "b?x=1"]],
  ["identity I13", "", null],
  ["identity F10", "spiffe://td/ztunnel", null],
  [
    "xds X29",
    "spiffe://cluster.local/ns/namespace/sa/service-account",
    ["cluster.local", "namespace", "service-account"],
  ],
  ["xds X30", "spiffe://td/ns/ns/sa/sa", ["td", "ns", "sa"]],
  ["xds X31", "spiffe://td.with.dots/ns/ns.with.dots/sa/sa.with.dots", [
    "td.with.dots",
    "ns.with.dots",
    "sa.with.dots",
  ]],
  ["xds X32", "spiffe://td/ns//sa/", ["td", "", ""]],
  ["xds X33", "td/ns/ns/sa/sa", null],
  ["xds X34", "spiffe://td/ns/ns/sa", null],
  ["xds X35", "spiffe://td/ns/ns/sa/sa/", null],
  ["xds X36", "spiffe://td/ns/ns/foobar/sa/", null],
];

for (const [vector, text, parts] of lenient) {
  Deno.test(`lenient identity, ${vector}`, () => {
    const parsed = parseWorkloadIdentity(text);
    if (parts === null) return assert.equal(parsed, null);
    const [trustDomain, namespace, serviceAccount] = parts;
    assert.deepEqual(parsed, { trustDomain, namespace, serviceAccount });
    assert.equal(formatWorkloadIdentity(parsed!), text);
  });
}

Deno.test("lenient identity, identity I13 I15: error texts", () => {
  assert.equal(invalidIdentity(""), "invalid spiffe identity: ");
  assert.equal(invalidIdentity("td/ns/ns/sa/sa"), "invalid spiffe identity: td/ns/ns/sa/sa");
});

Deno.test("property: where both parsers take a text they agree", () => {
  const part = fc.string({ minLength: 1, maxLength: 8 });
  fc.assert(fc.property(part, part, part, (td, ns, sa) => {
    const text = `spiffe://${td}/ns/${ns}/sa/${sa}`;
    const id = parseSpiffeId(text);
    const strict = id === null ? null : parseWorkloadId(id);
    if (strict !== null) assert.deepEqual(parseWorkloadIdentity(text), strict);
  }));
});
