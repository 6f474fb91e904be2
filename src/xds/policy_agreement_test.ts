/**
 * Compares the decision of a decoded and compiled policy with a simple second implementation of
 * `docs/spec/xds-state.md` 5.4 to 5.6 that uses the generated decoder.
 */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { istio } from "../../testkit/gen/resources.js";
import { parseSpiffeId } from "../identity/spiffe_id.ts";
import { ConnectionFacts } from "../mesh/policy/connection_facts.ts";
import { policyKey } from "../mesh/model/model.ts";
import { CompiledPolicy } from "../mesh/policy/matcher.ts";
import { ipToBytes, parseIp } from "../net/address.ts";
import { ResourceDecoder } from "./decode.ts";
import { AUTHORIZATION_TYPE } from "./resources.ts";

type WirePolicy = istio.security.Authorization;
type WireMatch = istio.security.Match;
type WireString = istio.security.StringMatch;

interface Peer {
  readonly identity: string | null;
  readonly from: string;
  readonly to: string;
  readonly port: number;
}

function any<T>(values: readonly T[], holds: (value: T) => boolean | null): boolean | null {
  const known = values.map(holds).filter((outcome) => outcome !== null);
  return known.length === 0 ? null : known.includes(true);
}

/** Null: the value is not valid and is ignored. */
function matchesText(match: WireString, text: string | null): boolean | null {
  switch (match.matchType) {
    case "exact":
      return text !== null && text === match.exact;
    case "prefix":
      return text !== null && text.startsWith(match.prefix!);
    case "suffix":
      return text !== null && text.endsWith(match.suffix!);
    case "presence":
      return text !== null && text !== "";
    default:
      return null;
  }
}

function isInBlock(ip: string, { address, length }: istio.security.Address): boolean | null {
  const bits = length & 0xff;
  if (![4, 16].includes(address.length) || bits > address.length * 8) return null;
  const own = ipToBytes(parseIp(ip)!);
  if (own.length !== address.length) return false;
  const binary = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(2).padStart(8, "0")).join("");
  return binary(own).slice(0, bits) === binary(address).slice(0, bits);
}

/** Null: an empty match. */
function matchHolds(match: WireMatch, { identity, from, to, port }: Peer): boolean | null {
  const principal = identity?.slice("spiffe://".length) ?? null;
  const parts = principal?.split("/") ?? [];
  const usual = parts.length === 5 && parts[1] === "ns" && parts[3] === "sa";
  const namespace = usual ? parts[2]! : "";
  const account = (one: istio.security.ServiceAccountMatch) =>
    usual && one.namespace === parts[2] && one.serviceAccount === parts[4];
  const kinds: (boolean | null)[] = [
    any(match.namespaces, (one) => matchesText(one, namespace)),
    negated(any(match.notNamespaces, (one) => matchesText(one, namespace))),
    any(match.principals, (one) => matchesText(one, principal)),
    negated(any(match.notPrincipals, (one) => matchesText(one, principal))),
    any(match.sourceIps, (one) => isInBlock(from, one)),
    negated(any(match.notSourceIps, (one) => isInBlock(from, one))),
    any(match.destinationIps, (one) => isInBlock(to, one)),
    negated(any(match.notDestinationIps, (one) => isInBlock(to, one))),
    any(match.destinationPorts, (one) => (one & 0xffff) === port),
    negated(any(match.notDestinationPorts, (one) => (one & 0xffff) === port)),
    any(match.serviceAccounts, account),
    negated(any(match.notServiceAccounts, account)),
  ];
  const present = kinds.filter((kind) => kind !== null);
  return present.length === 0 ? null : !present.includes(false);
}

function negated(outcome: boolean | null): boolean | null {
  return outcome === null ? null : !outcome;
}

function simpleDecision(policy: WirePolicy, peer: Peer): boolean {
  return policy.rules.some(({ clauses }) =>
    clauses.every(({ matches }) => matches.length === 0 || matches.some((match) => matchHolds(match, peer) === true))
  );
}

const NAMES = [
  "",
  "shop",
  "sho",
  "shop/sa",
  "cluster.local/ns/shop/sa/cart",
  "cart",
  "/sa/cart",
  "cluster.local/",
  "*",
];
const text = fc.oneof(
  fc.record({ exact: fc.constantFrom(...NAMES) }),
  fc.record({ prefix: fc.constantFrom(...NAMES) }),
  fc.record({ suffix: fc.constantFrom(...NAMES) }),
  fc.constant({ presence: {} }),
  fc.constant({}),
);
const IPS = [
  "10.0.0.1",
  "10.0.0.200",
  "10.1.0.1",
  "2001:db8::1",
  "2001:db8:0:1::1",
  "::ffff:10.0.0.1",
  "0.0.0.0",
  "::",
];
const mapped = Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1);
const address = fc.oneof(
  fc.constantFrom(...IPS).map((ip) => ipToBytes(parseIp(ip)!)),
  fc.constant(mapped),
  fc.uint8Array({ maxLength: 17 }),
);
const block = fc.record({ address, length: fc.constantFrom(0, 1, 8, 24, 31, 32, 33, 64, 96, 127, 128, 129, 256, 288) });
const port = fc.constantFrom(0, 80, 443, 65_535, 65_616, 4_294_967_295);
const account = fc.record({
  namespace: fc.constantFrom("", "shop", "shop/sa"),
  serviceAccount: fc.constantFrom("", "cart", "a/cart"),
});
const few = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 2 });
const match = fc.record({
  namespaces: few(text),
  notNamespaces: few(text),
  principals: few(text),
  notPrincipals: few(text),
  sourceIps: few(block),
  notSourceIps: few(block),
  destinationIps: few(block),
  notDestinationIps: few(block),
  destinationPorts: few(port),
  notDestinationPorts: few(port),
  serviceAccounts: few(account),
  notServiceAccounts: few(account),
}, { requiredKeys: [] });
const policies = fc.record({ rules: few(fc.record({ clauses: few(fc.record({ matches: few(match) })) })) });
const peers: fc.Arbitrary<Peer> = fc.record({
  identity: fc.constantFrom(
    null,
    "spiffe://cluster.local/ns/shop/sa/cart",
    "spiffe://cluster.local/ns/sho/sa/cart",
    "spiffe://cluster.local/ns/Shop/sa/Cart",
    "spiffe://other/ns/shop/sa/cart",
    "spiffe://cluster.local/shop/cart",
    "spiffe://cluster.local/ns/shop/sa/cart/x",
  ),
  from: fc.constantFrom(...IPS),
  to: fc.constantFrom(...IPS),
  port: fc.constantFrom(0, 80, 443, 65_535),
});

Deno.test("xds 5.4 to 5.6: both implementations agree on any policy and any peer", () => {
  const decoder = new ResourceDecoder(64);
  const key = policyKey("shop/p");
  fc.assert(
    fc.property(policies, fc.array(peers, { minLength: 1, maxLength: 5 }), (policy, callers) => {
      const bytes = istio.security.Authorization.encode(policy).finish();
      const decoded = decoder.decode(AUTHORIZATION_TYPE, "shop/p", bytes);
      assert.ok(decoded.ok && decoded.change.kind === "policy");
      const compiled = new CompiledPolicy(key, decoded.change.policy);
      const plain = istio.security.Authorization.decode(bytes);
      for (const peer of callers) {
        const [from, to] = [parseIp(peer.from)!, parseIp(peer.to)!];
        const identity = peer.identity === null ? null : parseSpiffeId(peer.identity)!;
        const facts = new ConnectionFacts({ ip: from, port: 1 }, identity, { ip: to, port: peer.port });
        assert.equal(compiled.matches(facts), simpleDecision(plain, peer), JSON.stringify(peer));
        assert.equal(compiled.findings(facts).some(({ holds }) => holds), compiled.matches(facts));
      }
    }),
    { numRuns: 2000 },
  );
});
