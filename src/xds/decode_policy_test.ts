import { strict as assert } from "node:assert";
import { istio } from "../../testkit/gen/resources.js";
import type { MeshChange } from "../mesh/model/changes.ts";
import { EMPTY_MATCH, type Match, type Policy } from "../mesh/model/model.ts";
import { type Decoded, ResourceDecoder } from "./decode.ts";
import { AUTHORIZATION_TYPE } from "./resources.ts";

type WirePolicy = Parameters<typeof istio.security.Authorization.encode>[0];

const decoder = new ResourceDecoder(64);

const V6 = [0x20, 1, 0x0d, 0xb8, 0x85, 0xa3, 0, 0, 0, 0, 0x8a, 0x2e, 3, 0x70, 0x73, 0x34];
const MAPPED = [...Array(10).fill(0), 0xff, 0xff, 10, 0, 0, 1];

function authorization(fields: WirePolicy, name = "ns/p"): Decoded {
  return decoder.decode(AUTHORIZATION_TYPE, name, istio.security.Authorization.encode(fields).finish());
}

function changeOf(decoded: Decoded): MeshChange & { kind: "policy" } {
  if (!decoded.ok || decoded.change.kind !== "policy") throw new Error(JSON.stringify(decoded));
  return decoded.change;
}

function policy(fields: WirePolicy): Policy {
  return changeOf(authorization(fields)).policy;
}

Deno.test("xds 1.4: each field of a policy", () => {
  const account = { namespace: "ns", serviceAccount: "sa" };
  const ten = { address: Uint8Array.of(10, 0, 0, 1), length: 24 };
  const all = policy({
    name: "p",
    namespace: "ns",
    scope: istio.security.Scope.WORKLOAD_SELECTOR,
    action: istio.security.Action.DENY,
    dryRun: true,
    rules: [{}, {
      clauses: [{}, {
        matches: [{}, {
          namespaces: [{ exact: "a" }],
          notNamespaces: [{ prefix: "b" }],
          principals: [{ suffix: "c" }],
          notPrincipals: [{ presence: {} }],
          sourceIps: [ten],
          notSourceIps: [{ ...ten, length: 0 }],
          destinationIps: [{ address: Uint8Array.from(V6), length: 64 }],
          notDestinationIps: [{ address: Uint8Array.from(MAPPED), length: 128 }],
          destinationPorts: [80, 65_617],
          notDestinationPorts: [443],
          serviceAccounts: [account],
          notServiceAccounts: [account, {}],
        }],
      }],
    }],
  });
  const match: Match = {
    namespaces: [{ kind: "Exact", value: "a" }],
    notNamespaces: [{ kind: "Prefix", value: "b" }],
    principals: [{ kind: "Suffix", value: "c" }],
    notPrincipals: [{ kind: "Presence" }],
    sourceIps: ["10.0.0.1/24" as Match["sourceIps"][number]],
    notSourceIps: ["10.0.0.1/0" as Match["sourceIps"][number]],
    destinationIps: ["2001:db8:85a3::8a2e:370:7334/64" as Match["sourceIps"][number]],
    notDestinationIps: ["::ffff:10.0.0.1/128" as Match["sourceIps"][number]],
    destinationPorts: [80, 81],
    notDestinationPorts: [443],
    serviceAccounts: [account],
    notServiceAccounts: [account, { namespace: "", serviceAccount: "" }],
  };
  assert.deepEqual(all, {
    name: "p",
    namespace: "ns",
    scope: "WorkloadSelector",
    action: "Deny",
    dryRun: true,
    rules: [[], [[], [EMPTY_MATCH, match]]],
  });
});

Deno.test("xds 3.7: the key of a policy is the name of its resource", () => {
  assert.equal(changeOf(authorization({ name: "p", namespace: "ns" }, "other/name")).key, "other/name");
});

Deno.test("xds 1.8: undefined numbers of enums in a policy are refused", () => {
  const four: number = 4;
  for (const fields of [{ scope: four }, { action: four }]) {
    assert.deepEqual(authorization(fields), {
      ok: false,
      why: "unacceptable",
      reason: "decode error: unknown enumeration value 4",
    });
  }
});

Deno.test("xds Q9: ports of a policy are cut to 16 bits, lengths of blocks to 8", () => {
  const matches = [{
    destinationPorts: [65_536 + 80],
    notDestinationPorts: [65_536],
    sourceIps: [{ address: Uint8Array.of(10, 0, 0, 0), length: 256 + 8 }],
  }];
  const [[[match]]] = policy({ rules: [{ clauses: [{ matches }] }] }).rules as [[[Match]]];
  assert.deepEqual([match.destinationPorts, match.notDestinationPorts, match.sourceIps], [[80], [0], ["10.0.0.0/8"]]);
});

Deno.test("xds X28, Q10: an invalid value of a policy is ignored and logged", () => {
  const decoded = authorization({
    rules: [{ clauses: [{ matches: [{ sourceIps: [{ address: new Uint8Array(5), length: 8 }] }] }] }],
  });
  assert.deepEqual(changeOf(decoded).policy.rules, [[[EMPTY_MATCH]]]);
  assert.equal(decoded.ok && decoded.warning, "policy ns/p: 1 value that means nothing was ignored");
  const two = authorization({
    rules: [{
      clauses: [{
        matches: [{
          principals: [{}, { exact: "a" }],
          destinationIps: [{ address: Uint8Array.of(10, 0, 0, 0), length: 33 }],
        }],
      }],
    }],
  });
  assert.equal(two.ok && two.warning, "policy ns/p: 2 values that mean nothing were ignored");
});
