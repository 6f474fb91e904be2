import { strict as assert } from "node:assert";
import { parseCidr } from "../model/cidr.ts";
import { ConnectionFacts } from "./connection_facts.ts";
import { exact, match, policy, socket } from "../testkit/fixture.ts";
import type { Match, Rule, StringMatch } from "../model/model.ts";
import { CompiledPolicy, strings } from "./matcher.ts";
import { parseSpiffeId } from "../model/workload_identity.ts";

function facts(identity: string | null, source: string, target: string): ConnectionFacts {
  const id = identity === null ? null : parseSpiffeId(identity);
  assert.ok(identity === null || id !== null);
  return new ConnectionFacts(socket(source), id, socket(target));
}

const P = facts(null, "127.0.0.1:1234", "127.0.0.2:8080");
const T = facts("spiffe://td/ns/namespace/sa/account", "127.0.0.1:1234", "127.0.0.2:8080");
// The vector's service account is `sa=alt`, which is no valid SPIFFE path; the test does not depend on the `=`.
const A = facts("spiffe://td-alt/ns/ns-alt/sa/sa-alt", "127.0.0.3:1234", "127.0.0.4:9090");

function matches(rules: readonly Rule[], connection: ConnectionFacts): boolean {
  const { key, policy: value } = policy({ rules });
  return new CompiledPolicy(key, value).matches(connection);
}

function cidr(text: string) {
  const parsed = parseCidr(text);
  assert.ok(parsed !== null);
  return [parsed];
}

const PRESENCE: StringMatch = { kind: "Presence" };
const ACCOUNT = [{ namespace: "namespace", serviceAccount: "account" }];
const FIELDS: readonly [string, Partial<Match>, boolean, boolean, boolean][] = [
  ["X226", { namespaces: [exact("namespace")] }, false, true, false],
  ["X227", { notNamespaces: [exact("namespace")] }, true, false, true],
  ["X228", { serviceAccounts: ACCOUNT }, false, true, false],
  ["X229", { notServiceAccounts: ACCOUNT }, true, false, true],
  ["X230", { principals: [exact("td/ns/namespace/sa/account")] }, false, true, false],
  ["X231", { notPrincipals: [exact("td/ns/namespace/sa/account")] }, true, false, true],
  ["X232", { sourceIps: cidr("127.0.0.1/32") }, true, true, false],
  ["X233", { notSourceIps: cidr("127.0.0.1/32") }, false, false, true],
  ["X234", { destinationIps: cidr("127.0.0.2/32") }, true, true, false],
  ["X235", { notDestinationIps: cidr("127.0.0.2/32") }, false, false, true],
  ["X236", { destinationIps: cidr("127.0.0.1/24") }, true, true, true],
  ["X237", { destinationPorts: [8080] }, true, true, false],
  ["X238", { notDestinationPorts: [8080] }, false, false, true],
  ["X239", { notPrincipals: [PRESENCE] }, true, false, false],
  ["X240", { principals: [PRESENCE] }, false, true, true],
  ["X241", { principals: [exact("spiffe://td/ns/namespace/sa/account")] }, false, false, false],
  ["X242", { principals: [{ kind: "Prefix", value: "td/" }] }, false, true, false],
  ["X243", { principals: [{ kind: "Suffix", value: "/sa/account" }] }, false, true, false],
  ["X244", { sourceIps: cidr("::ffff:127.0.0.1/128") }, false, false, false],
  ["5.6: the empty namespace", { namespaces: [exact("")] }, true, false, false],
  ["5.6: fields are AND-ed", { destinationPorts: [8080], principals: [PRESENCE] }, false, true, false],
  ["5.6: values are OR-ed", { destinationPorts: [1, 9090, 8080] }, true, true, true],
];

for (const [id, fields, p, t, a] of FIELDS) {
  Deno.test(`xds ${id}: ${JSON.stringify(fields)}`, () => {
    const rules = [[[match(fields)]]];
    assert.deepEqual([P, T, A].map((connection) => matches(rules, connection)), [p, t, a]);
  });
}

const STRUCTURES: readonly [string, readonly Rule[], boolean][] = [
  ["X245, X28: an empty match", [[[match({})]]], false],
  ["X246: a clause without matches", [[[]]], true],
  ["X247: a rule without clauses", [[]], true],
  ["X248: no rules", [], false],
  ["5.5: an empty match beside one that holds", [[[match({}), match({ destinationPorts: [8080] })]]], true],
  ["X278: clauses of empty matches", [[[match({})], [match({})]]], false],
];

for (const [id, rules, expected] of STRUCTURES) {
  Deno.test(`xds ${id}`, () => assert.equal(matches(rules, P), expected));
}

const STRINGS: readonly [string, StringMatch, readonly [string, boolean][]][] = [
  ["X255", exact("foo"), [["foo", true], ["not", false], ["", false]]],
  ["X256", { kind: "Prefix", value: "foo" }, [["foobar", true], ["notfoo", false], ["", false]]],
  ["X257", { kind: "Suffix", value: "foo" }, [["barfoo", true], ["foonot", false], ["", false]]],
  ["X258", PRESENCE, [["foo", true], ["", false]]],
  ["X259", exact("Foo"), [["foo", false]]],
];

for (const [id, value, texts] of STRINGS) {
  Deno.test(`xds ${id}: ${JSON.stringify(value)}`, () => {
    const test = strings([value])!;
    for (const [text, expected] of texts) assert.equal(test(text), expected, text);
  });
}

const NOT_MTLS = match({ notPrincipals: [PRESENCE] });
const port = (value: number, fields: Partial<Match> = {}) => match({ destinationPorts: [value], ...fields });
const notPort = (value: number) => match({ notDestinationPorts: [value] });
const STRICT_PORT = (value: number) => port(value, { notPrincipals: [PRESENCE] });

/** Deny rules, and whether they deny plaintext to 9090, plaintext to 8080, mTLS to either. */
const PEER_AUTHENTICATION: readonly [string, readonly Rule[], boolean, boolean, boolean][] = [
  ["X272", [[[NOT_MTLS]]], true, true, false],
  ["X273", [[[NOT_MTLS], [notPort(9090)]]], false, true, false],
  ["X274", [[[NOT_MTLS], [notPort(8080)]]], true, false, false],
  ["X275", [[[STRICT_PORT(9090)]]], true, false, false],
  ["X276", [[[STRICT_PORT(8080)]], [[STRICT_PORT(9090)]]], true, true, false],
  ["X277", [[[notPort(9090)], [NOT_MTLS]]], false, true, false],
  ["X278", [[[match({})], [match({})]]], false, false, false],
];

for (const [id, rules, plain9090, plain8080, mtls] of PEER_AUTHENTICATION) {
  Deno.test(`xds ${id}: converted PeerAuthentication`, () => {
    const plain = (to: number) => facts(null, "10.0.0.1:1", `10.0.0.2:${to}`);
    const mutual = (to: number) => facts("spiffe://td/ns/a/sa/b", "10.0.0.1:1", `10.0.0.2:${to}`);
    assert.equal(matches(rules, plain(9090)), plain9090);
    assert.equal(matches(rules, plain(8080)), plain8080);
    assert.deepEqual([matches(rules, mutual(9090)), matches(rules, mutual(8080))], [mtls, mtls]);
  });
}

Deno.test("xds X279: the layer 4 part of a mixed policy", () => {
  const rules = [[[port(80)], [match({ namespaces: [exact("namespace")], principals: [PRESENCE] })]]];
  const at = (identity: string | null, to: number) => matches(rules, facts(identity, "10.0.0.1:1", `10.0.0.2:${to}`));
  assert.equal(at("spiffe://td/ns/namespace/sa/x", 80), true);
  assert.equal(at("spiffe://td/ns/namespace/sa/x", 81), false);
  assert.equal(at("spiffe://td/ns/other/sa/x", 80), false);
  assert.equal(at(null, 80), false);
});

Deno.test("xds 5.4: an id of another shape has a principal, but no namespace and service account", () => {
  const odd = facts("spiffe://td/some/path", "10.0.0.1:1", "10.0.0.2:80");
  assert.equal(odd.principal, "td/some/path");
  assert.equal(odd.namespace, "");
  assert.equal(odd.serviceAccount, null);
});
