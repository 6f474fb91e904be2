import { strict as assert } from "node:assert";
import {
  aliasesOf,
  type AliasSettings,
  clusterSearchDomains,
  expansions,
  throughWildcards,
  withoutSuffix,
} from "./aliases.ts";

const DOMAIN = "cluster.local";
const SETTINGS: AliasSettings = {
  namespace: "ns1",
  clusterDomain: DOMAIN,
  searchDomains: clusterSearchDomains("ns1", DOMAIN),
};

const EXPANSIONS: readonly (readonly [id: string, name: string, expected: readonly string[]])[] = [
  ["E1", "name", ["name.ns1.svc.cluster.local"]],
  ["E2", "name.ns2", ["name.ns2.svc.cluster.local", "name.ns2.ns1.svc.cluster.local"]],
  ["E3", "name.ns2.svc", ["name.ns2.svc.cluster.local", "name.ns2.svc.svc.cluster.local"]],
  ["E4", "name.ns2.not-svc", ["name.ns2.not-svc.svc.cluster.local"]],
  ["E5", "pod.sub-domain.ns.svc", ["pod.sub-domain.ns.svc.cluster.local"]],
  ["E6", "pod.sub-domain.ns.not-svc", []],
  ["E7", "name.ns2.svc.cluster", []],
  ["E8", "name.ns2.svc.cluster.local", []],
  ["E9", "www.google.com", ["www.google.com.svc.cluster.local"]],
];

for (const [id, name, expected] of EXPANSIONS) {
  Deno.test(`inpod ${id}: expansions of ${name}`, () => assert.deepEqual(expansions(name, SETTINGS), expected));
}

function wildcardsOf(name: string): string[] {
  const tried: string[] = [];
  throughWildcards(name, (candidate) => {
    tried.push(candidate);
    return null;
  });
  return tried;
}

const WILDCARDS: readonly (readonly [name: string, tried: readonly string[]])[] = [
  ["inpod E10: svc1", ["svc1"]],
  [
    "inpod E11: svc1.ns1.svc.cluster.local",
    ["svc1.ns1.svc.cluster.local", "*.ns1.svc.cluster.local", "*.svc.cluster.local", "*.cluster.local", "*.local"],
  ],
  ["a literal asterisk is no label here: *.a.b", ["*.a.b", "*.b"]],
  ["an asterisk and one label: *.a", ["*.a"]],
];

for (const [what, tried] of WILDCARDS) {
  Deno.test(`wildcards, ${what}`, () => assert.deepEqual(wildcardsOf(what.slice(what.lastIndexOf(" ") + 1)), tried));
}

Deno.test("wildcards: the search ends with the first result", () => {
  assert.equal(throughWildcards("a.b.c", (name) => name === "*.b.c" ? name : null), "*.b.c");
  assert.equal(throughWildcards("a.b.c", (name) => name.includes("b") ? name : null), "a.b.c");
});

const STRIPPED: readonly (readonly [id: string, name: string, expected: string | null])[] = [
  ["E12", "name.ns.svc.cluster.local", "name.ns"],
  ["E13", "name.ns.a.different.domain", null],
  ["E14", "svc.cluster.local", null],
];

for (const [id, name, expected] of STRIPPED) {
  Deno.test(`inpod ${id}: ${name} without svc.cluster.local`, () => {
    assert.equal(withoutSuffix(name, "svc.cluster.local"), expected);
  });
}

Deno.test("a suffix is removed at the border of a label only, and an empty suffix never", () => {
  assert.equal(withoutSuffix("name.notcluster.local", "cluster.local"), null);
  assert.equal(withoutSuffix("name.", ""), null);
});

Deno.test("inpod E15: search domains of a namespace", () => {
  assert.deepEqual(clusterSearchDomains("default-ns", DOMAIN), [
    "default-ns.svc.cluster.local",
    "svc.cluster.local",
    "cluster.local",
  ]);
});

/** `name`, or `name [stripped]`. */
const ALIASES: readonly (readonly [id: string, query: string, aliases: readonly string[]])[] = [
  ["E16", "productpage", ["productpage", "productpage.ns1.svc.cluster.local"]],
  ["E17", "productpage.ns1", [
    "productpage.ns1",
    "productpage.ns1.svc.cluster.local",
    "productpage.ns1.ns1.svc.cluster.local",
  ]],
  ["E18", "productpage.ns1.svc.cluster.local", [
    "productpage.ns1.svc.cluster.local",
    "productpage [productpage]",
    "productpage.ns1 [productpage.ns1]",
    "productpage.ns1.ns1.svc.cluster.local [productpage.ns1]",
    "productpage.ns1.svc [productpage.ns1.svc]",
    "productpage.ns1.svc.svc.cluster.local [productpage.ns1.svc]",
  ]],
  ["E19", "www.google.com.ns1.svc.cluster.local", [
    "www.google.com.ns1.svc.cluster.local",
    "www.google.com [www.google.com]",
    "www.google.com.svc.cluster.local [www.google.com]",
    "www.google.com.ns1 [www.google.com.ns1]",
    "www.google.com.ns1.svc [www.google.com.ns1.svc]",
  ]],
  ["E20", "x.svc.cluster.local", [
    "x.svc.cluster.local",
    "x [x]",
    "x.ns1.svc.cluster.local [x]",
    "x.svc [x.svc]",
    "x.svc.svc.cluster.local [x.svc]",
    "x.svc.ns1.svc.cluster.local [x.svc]",
  ]],
  ["E21", "a.b.svc.cluster.local", [
    "a.b.svc.cluster.local",
    "a.b [a.b]",
    "a.b.ns1.svc.cluster.local [a.b]",
    "a.b.svc [a.b.svc]",
    "a.b.svc.svc.cluster.local [a.b.svc]",
  ]],
  ["E22", "cluster.local", [
    "cluster.local",
    "cluster.local.svc.cluster.local",
    "cluster.local.ns1.svc.cluster.local",
  ]],
];

for (const [id, query, expected] of ALIASES) {
  Deno.test(`inpod ${id}: aliases of ${query}`, () => {
    const aliases = aliasesOf(query, SETTINGS);
    assert.deepEqual(aliases.map(({ name, stripped }) => stripped === null ? name : `${name} [${stripped}]`), expected);
  });
}

Deno.test("the root has itself as its only alias", () => {
  assert.deepEqual(aliasesOf("", SETTINGS), [{ name: "", stripped: null }]);
});
