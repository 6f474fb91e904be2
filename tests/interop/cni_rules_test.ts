/**
 * The rules that Istio's node agent installs in a pod, compared with those of the bed of the other scenarios
 * (`lab/bed/`). No proxy is needed: the agent writes its rules before it looks for one.
 */
import { strict as assert } from "node:assert";
import { type Backend, redirectPod } from "../../lab/bed/redirection.ts";
import type { Variant } from "../../lab/bed/redirection_rules.ts";
import { CniAgent, type CniPod, testWithCni } from "../../lab/istio/cni.ts";
import { makeNamespace, type Namespace } from "../../lab/namespace.ts";

const NEEDS = { namespaces: true, packages: ["iptables", "nft"] } as const;

/** Settings by annotations. */
const VARIANTS: readonly (readonly [string, Partial<Variant>, CniPod["annotations"]])[] = [
  ["plain", {}, {}],
  ["without DNS", { dns: false }, { "ambient.istio.io/dns-capture": "false" }],
  ["ingress", { ingress: true }, { "ambient.istio.io/bypass-inbound-capture": "true" }],
  [
    "inpod G8 virtual interfaces, with a blank after the comma",
    { virtualInterfaces: ["fake1s0f0", "fake1s0f1"] },
    { "istio.io/reroute-virtual-interfaces": "fake1s0f0, fake1s0f1" },
  ],
  [
    "inpod G9 neither yes nor no, which says nothing",
    {},
    { "ambient.istio.io/dns-capture": "maybe", "ambient.istio.io/bypass-inbound-capture": "perhaps" },
  ],
];

/** All redirection rules of the kernel by chain; the order of chains does not matter. */
async function redirectionOf(pod: Namespace, backend: Backend): Promise<Record<string, readonly string[]>> {
  const families = ["-4", "-6"];
  const lists = backend === "nftables"
    ? [nftChains(await pod.run("nft", "--stateless", "list", "ruleset"))]
    : [iptablesChains("4", await pod.run("iptables-save")), iptablesChains("6", await pod.run("ip6tables-save"))];
  for (const family of families) {
    lists.push({
      [`rules ${family}`]: lines(await pod.run("ip", family, "rule")),
      [`routes ${family}`]: lines(await pod.run("sh", "-c", `ip ${family} route show table 100 2>/dev/null || true`)),
    });
  }
  return Object.assign({}, ...lists);
}

/** Parses `iptables-save`: `*table`, then `-A CHAIN rule`. */
function iptablesChains(family: string, saved: string): Record<string, string[]> {
  const chains: Record<string, string[]> = {};
  let table = "";
  for (const line of lines(saved)) {
    const [, chain] = /^-A (\S+)/.exec(line) ?? [];
    if (line.startsWith("*")) table = line.slice(1);
    else if (chain !== undefined) (chains[`${table} ${chain} ${family}`] ??= []).push(line);
  }
  return chains;
}

/** Parses `nft list ruleset`: `table … {`, in it `chain … {`, in it rules. */
function nftChains(listed: string): Record<string, string[]> {
  const chains: Record<string, string[]> = {};
  let table = "", chain = "";
  for (const line of lines(listed)) {
    const [, kind, name = ""] = /^(table|chain) (.*) \{$/.exec(line) ?? [];
    if (kind === "table") table = name;
    else if (kind === "chain") chains[chain = `${table} ${name}`] = [];
    else if (line !== "}") chains[chain]?.push(line);
  }
  return chains;
}

function lines(text: string): string[] {
  return text.split("\n").map((line) => line.replace(/\s+/g, " ").trim()).filter((line) => line !== "");
}

/** Tables of the old iptables, also empty ones: istio's detection of the backend makes them, and then finds them. */
const LEGACY_TABLES = "cat /proc/net/ip_tables_names /proc/net/ip6_tables_names 2>/dev/null || true";

for (const rules of ["iptables", "nftables"] as const) {
  testWithCni(NEEDS, `cni rules by ${rules}, observed O14: those of the bed, and gone with the pod`, async (t) => {
    await using node = await makeNamespace("node");
    await using agent = new CniAgent({ namespace: node.name, rules });
    await agent.start();
    for (const [name, variant, annotations = {}] of VARIANTS) {
      await t.step(name, async () => {
        await using theirs = await makeNamespace("theirs");
        await using ours = await makeNamespace("ours");
        const before = await redirectionOf(theirs, rules);
        const pod = { uid: name, name, namespace: "bed", serviceAccount: name, netns: theirs.path, annotations };
        assert.equal(await agent.add(pod), "no ztunnel connection");
        assert.equal((await agent.pods())[name], true, "the next proxy is told of it");
        await redirectPod(ours, rules, { ipv6: true, dns: true, ...variant });
        const written = await redirectionOf(theirs, rules);
        assert.deepEqual(written, await redirectionOf(ours, rules));

        assert.equal(await agent.add(pod), "no ztunnel connection", "as an agent tries again");
        assert.deepEqual(await redirectionOf(theirs, rules), written);
        assert.equal(await theirs.run("sh", "-c", LEGACY_TABLES), "", "which would decide the agent's next choice");
        assert.equal(await agent.release(pod), "");
        assert.deepEqual(await redirectionOf(theirs, rules), before);
      });
    }
  });
}
