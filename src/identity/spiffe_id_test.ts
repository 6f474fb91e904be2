import { strict as assert } from "node:assert";
import fc from "fast-check";
import {
  hasPath,
  parseSpiffeId,
  parseTrustDomain,
  parseWorkloadId,
  type SpiffeId,
  spiffeIdProblem,
  trustDomainOf,
  workloadId,
} from "./spiffe_id.ts";

const DOMAIN_CHARS = "trust domain characters are limited to lowercase letters, numbers, dots, dashes, and underscores";
const PATH_CHARS = "path segment characters are limited to letters, numbers, dots, dashes, and underscores";

const strict: readonly [vector: string, text: string, problem: string | null][] = [
  ["identity F1", "", "cannot be empty"],
  ["identity F2", "http://td/x", "scheme is missing or invalid"],
  ["identity F3", "spiffe://", "trust domain is missing"],
  ["identity F4", "spiffe://TD/x", DOMAIN_CHARS],
  ["identity F5", "spiffe://td:80/x", DOMAIN_CHARS],
  ["identity F6", "spiffe://td/", "path cannot have a trailing slash"],
  ["identity F7", "spiffe://td//x", "path cannot contain empty segments"],
  ["identity F8", "spiffe://td/../x", "path cannot contain dot segments"],
  ["identity F9", "spiffe://td/a%20b", PATH_CHARS],
  ["identity F10", "spiffe://td/ztunnel", null],
  ["identity F12 id of 2049 bytes", "spiffe://td/" + "a".repeat(2049 - 12), "id is longer than 2048 bytes"],
  ["identity F12 id of 2048 bytes", "spiffe://td/" + "a".repeat(2048 - 12), null],
  ["identity F12 domain of 256 bytes", `spiffe://${"a".repeat(256)}/x`, "trust domain is longer than 255 bytes"],
  ["identity F12 domain of 255 bytes", `spiffe://${"a".repeat(255)}/x`, null],
  ["identity F13", "spiffe://td", null],
  ["identity S6 upper case", "spiffe://Cluster.Local/ns/a/sa/b", DOMAIN_CHARS],
  ["identity S6 port", "spiffe://cluster.local:443/ns/a/sa/b", DOMAIN_CHARS],
  ["identity S7 trailing slash", "spiffe://td/ns/a/sa/b/", "path cannot have a trailing slash"],
  ["identity S7 dots", "spiffe://td/ns/a/../b/sa/c", "path cannot contain dot segments"],
  ["identity S7 percent", "spiffe://td/ns/a/sa/b%2f", PATH_CHARS],
  ["identity S8 NUL", "spiffe://td/ns/a/sa/b\0", PATH_CHARS],
  ["identity S8 NUL in the domain", "spiffe://td\0.evil/ns/a/sa/b", DOMAIN_CHARS],
  ["identity S8 non-ASCII", "spiffe://td/ns/ä/sa/b", PATH_CHARS],
  ["observed O34 newline", "spiffe://td/ns/a/sa/b\n", PATH_CHARS],
  ["observed O34 newline in the domain", "spiffe://td\n/ns/a/sa/b", DOMAIN_CHARS],
  ["observed O34 query", "spiffe://td/ns/a/sa/b?x=1", PATH_CHARS],
  ["observed O34 fragment", "spiffe://td/ns/a/sa/b#x", PATH_CHARS],
  ["user-info", "spiffe://user@td/x", DOMAIN_CHARS],
  ["scheme in capitals", "SPIFFE://td/ns/a/sa/b", "scheme is missing or invalid"],
  ["one slash", "spiffe:/td/x", "scheme is missing or invalid"],
  ["empty domain before a path", "spiffe:///ns/a/sa/b", "trust domain is missing"],
];

for (const [vector, text, problem] of strict) {
  Deno.test(`strict SPIFFE id, ${vector}`, () => {
    assert.equal(spiffeIdProblem(text), problem);
    assert.equal(parseSpiffeId(text), problem === null ? text : null);
  });
}

Deno.test("trust domain given as an id, identity F11", () => {
  assert.equal(parseTrustDomain("spiffe://example.org/foo"), "example.org");
  assert.equal(parseTrustDomain("spiffe://example.org"), "example.org");
  assert.equal(parseTrustDomain("example.org"), "example.org");
  for (const bad of ["", "Example.org", "a/b", "td:80", "spiffe://", "http://td", "td\n"]) {
    assert.equal(parseTrustDomain(bad), null, bad);
  }
});

Deno.test("a trust domain alone has no path, identity F13", () => {
  assert.equal(hasPath("spiffe://td" as SpiffeId), false);
  assert.equal(hasPath("spiffe://td/x" as SpiffeId), true);
  assert.equal(trustDomainOf("spiffe://td" as SpiffeId), "td");
  assert.equal(trustDomainOf("spiffe://td.example/x/y" as SpiffeId), "td.example");
});

Deno.test("workload ids, identity I14", () => {
  const id = workloadId("cluster.local", "istio-system", "ztunnel");
  assert.equal(id, "spiffe://cluster.local/ns/istio-system/sa/ztunnel");
  assert.deepEqual(parseWorkloadId(id!), {
    trustDomain: "cluster.local",
    namespace: "istio-system",
    serviceAccount: "ztunnel",
  });
});

Deno.test("workload ids: a part with a slash, or an empty one, is refused", () => {
  for (const [td, ns, sa] of [["td/x", "a", "b"], ["td", "a/sa/b", "c"], ["td", "a", "b/c"], ["", "a", "b"]]) {
    assert.equal(workloadId(td!, ns!, sa!), null);
  }
  assert.equal(workloadId("td", "", "b"), null);
  assert.equal(workloadId("td", "a", ""), null);
});

Deno.test("ids with another path are no workload ids", () => {
  for (const text of ["spiffe://td", "spiffe://td/ztunnel", "spiffe://td/NS/a/sa/b", "spiffe://td/ns/a/sa/b/c"]) {
    const id = parseSpiffeId(text);
    assert.ok(id !== null);
    assert.equal(parseWorkloadId(id), null, text);
  }
});

Deno.test("property: parsing never throws, and accepted ids are printable ASCII", () => {
  fc.assert(fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.string().map((s) => `spiffe://td/${s}`)), (text) => {
    const id = parseSpiffeId(text);
    if (id === null) return typeof spiffeIdProblem(text) === "string";
    return /^spiffe:\/\/[a-z0-9._-]+(\/[a-zA-Z0-9._-]+)*$/.test(id) && parseTrustDomain(trustDomainOf(id)) !== null;
  }));
});

Deno.test("property: the parts of an id are those it was made of", () => {
  const name = fc.stringMatching(/^[a-z0-9][a-z0-9.-]{0,20}[a-z0-9]$/);
  fc.assert(fc.property(name, name, name, (trustDomain, namespace, serviceAccount) => {
    const id = workloadId(trustDomain, namespace, serviceAccount);
    assert.deepEqual(id && parseWorkloadId(id), { trustDomain, namespace, serviceAccount });
  }));
});
