import { strict as assert } from "node:assert";
import { parseSpiffeId } from "./spiffe_id.ts";
import { TrustDomainAliases } from "./trust_domain_aliases.ts";

const spiffeId = (text: string) => parseSpiffeId(text)!;
const NEW = spiffeId("spiffe://new.example/ns/n/sa/s");
const OLD = spiffeId("spiffe://old.example/ns/n/sa/s");
const OTHER = spiffeId("spiffe://other.example/ns/n/sa/s");

Deno.test("without aliases, ids are what they are", () => {
  const ids = [NEW, OTHER];
  assert.equal(new TrustDomainAliases("new.example", []).expand(ids), ids);
});

Deno.test("an id of the mesh's trust domain goes under each of its names, one of another domain under its own", () => {
  const aliases = new TrustDomainAliases("new.example", ["old.example", "new.example"]);
  assert.deepEqual(aliases.expand([NEW, OTHER]), [NEW, OLD, OTHER]);
  assert.deepEqual(aliases.expand([OLD]), [OLD, NEW]);
  assert.deepEqual(aliases.expand([]), []);
});

Deno.test("a name that cannot be a trust domain makes no id", () => {
  assert.deepEqual(new TrustDomainAliases("new.example", ["not a domain"]).expand([NEW]), [NEW]);
});

Deno.test("the names of a trust domain", () => {
  const aliases = new TrustDomainAliases("new.example", ["old.example"]);
  assert.deepEqual(aliases.of("old.example"), ["new.example", "old.example"]);
  assert.deepEqual(aliases.of("other.example"), []);
});
