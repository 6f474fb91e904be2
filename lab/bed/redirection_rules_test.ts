/** The rules equal those that istio-cni writes. */
import { strict as assert } from "node:assert";
import { makeNamespace } from "../namespace.ts";
import { testNeeding } from "../needs.ts";
import { redirectPod } from "./redirection.ts";
import { iptablesText, IPV4, IPV6, nftText, rulesOf, type Variant } from "./redirection_rules.ts";

const FULL: Variant = { ipv6: true, dns: true };

function golden(name: string): string {
  return Deno.readTextFileSync(new URL(`../../tests/fixtures/golden/${name}`, import.meta.url));
}

/** Returns the rules and jumps of a table in the output of `iptables-save`. */
function rulesIn(save: string, table: string): string[] {
  const part = save.split(/^\*/m).find((text) => text.startsWith(`${table}\n`)) ?? "";
  return part.split("\n").filter((line) => line.startsWith("-A"));
}

const TABLES = ["mangle", "nat", "raw"];

Deno.test("inpod G1, golden: the rules equal those of istio-cni in a pod", () => {
  const written = iptablesText(IPV4, FULL);
  for (const table of TABLES) {
    assert.deepEqual(rulesIn(written, table), rulesIn(golden("iptables-client-1.txt"), table), table);
  }
});

Deno.test("inpod G2: the rules for IPv6 differ only in loopback and probe address", () => {
  const four = iptablesText(IPV4, FULL).replaceAll("127.0.0.1/32", "L").replaceAll("169.254.7.127/32", "P");
  const six = iptablesText(IPV6, FULL).replaceAll("::1/128", "L");
  assert.equal(six.replaceAll("fd16:9254:7127:1337:ffff:ffff:ffff:ffff/128", "P"), four);
});

const VECTORS: readonly (readonly [string, Partial<Variant>, string])[] = [
  ["G3 without DNS", { dns: false }, "M4 M3 N4 N6 N7 N8 N3 N5"],
  ["G4 with DNS", {}, "M4 M3 N4 D1 D2 N6 N7 N8 N3 N5 R3 R4"],
  ["G5 ingress", { ingress: true, dns: false }, "M4 M3 N4 N6 N7 N8"],
  ["G5 ingress with DNS", { ingress: true }, "M4 M3 N4 D1 D2 N6 N7 N8 R3 R4"],
  [
    "G6 virtual interfaces",
    { virtualInterfaces: ["fake1s0f0", "fake1s0f1"], dns: false },
    "M4 M3 N4 N6 N7 N8 V1 V2 V1 V2 N3 N5",
  ],
  [
    "G7 ingress and virtual interfaces",
    { virtualInterfaces: ["fake1s0f0"], ingress: true, dns: false },
    "M4 M3 N4 N6 N7 N8 V1 V2",
  ],
];
for (const [name, variant, ids] of VECTORS) {
  Deno.test(`inpod ${name}`, () => {
    assert.equal(rulesOf(IPV4, { ...FULL, ...variant }).map(({ id }) => id).join(" "), ids);
  });
}

testNeeding(
  { namespaces: true, packages: ["iptables"] },
  "inpod A3.2: iptables accepts the rules and prints them unchanged; routes equal those of istio-cni",
  async () => {
    await using pod = await makeNamespace("rules");
    await redirectPod(pod, "iptables", FULL);
    for (const [command, family] of [["iptables-save", IPV4], ["ip6tables-save", IPV6]] as const) {
      const saved = await pod.run(command);
      for (const table of TABLES) assert.deepEqual(rulesIn(saved, table), rulesIn(iptablesText(family, FULL), table));
    }
    const lines = (text: string) => text.trimEnd().split("\n").map((line) => line.replace(/\s+/g, " ").trim());
    const rules = lines(await pod.run("ip", "rule")),
      routes = lines(await pod.run("ip", "route", "show", "table", "100"));
    assert.deepEqual([...rules, ...routes], lines(golden("iproute-client-1.txt")));
  },
);

testNeeding(
  { namespaces: true, packages: ["nft"] },
  "inpod A3.3: nft accepts the rules, one table for both families",
  async () => {
    await using pod = await makeNamespace("rules");
    await redirectPod(pod, "nftables", FULL);
    assert.deepEqual((await pod.run("nft", "list", "tables")).split("\n").sort(), [
      "table inet istio-ambient-mangle",
      "table inet istio-ambient-nat",
      "table inet istio-ambient-raw",
    ]);
    const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;
    const listed = await pod.run("nft", "list", "ruleset");
    for (const pattern of [/\bcounter\b/g, /redirect to :15001/g, /redirect to :15006/g, /redirect to :15053/g]) {
      assert.equal(count(listed, pattern), count(nftText(FULL), pattern), String(pattern));
    }
  },
);
