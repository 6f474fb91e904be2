import { strict as assert } from "node:assert";
import { parseSpiffeId } from "./spiffe_id.ts";
import { TrustDomainAliases } from "./trust_domain_aliases.ts";

const spiffeId = (text: string) => parseSpiffeId(text)!;
const NEW = spiffeId("spiffe://new.example/ns/n/sa/s");
const OLD = spiffeId("spiffe://old.example/ns/n/sa/s");
const OTHER = spiffeId("spiffe://other.example/ns/n/sa/s");

Deno.test("aliases: without them, ids are unchanged", () => {
  const ids = [NEW, OTHER];
  assert.equal(new TrustDomainAliases("new.example", []).expand(ids), ids);
});

Deno.test("aliases: an id of the mesh's trust domain gets all names, an id of another domain is unchanged", () => {
  const aliases = new TrustDomainAliases("new.example", ["old.example", "new.example"]);
  assert.deepEqual(aliases.expand([NEW, OTHER]), [NEW, OLD, OTHER]);
  assert.deepEqual(aliases.expand([OLD]), [OLD, NEW]);
  assert.deepEqual(aliases.expand([]), []);
});

Deno.test("aliases: a name that is no valid trust domain is ignored", () => {
  assert.deepEqual(new TrustDomainAliases("new.example", ["not a domain"]).expand([NEW]), [NEW]);
});

Deno.test("aliases: the names of a trust domain", () => {
  const aliases = new TrustDomainAliases("new.example", ["old.example"]);
  assert.deepEqual(aliases.of("old.example"), ["new.example", "old.example"]);
  assert.deepEqual(aliases.of("other.example"), []);
});
