import { strict as assert } from "node:assert";
import { parseResolverFile } from "../config/resolver_settings.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import type { ResolvedName, Resolving } from "../proxy/name_resolver.ts";
import { parseHostsFile } from "./hosts_file.ts";
import { candidateNames } from "./search_list.ts";
import { StubResolver } from "./stub_resolver.ts";
import { answered, NAMESERVER, nxdomain, type Packet, type Script, ScriptedServer } from "./testkit/dns_bed.ts";

interface RigOptions {
  readonly script?: Script;
  readonly resolver?: string;
  readonly hosts?: string;
  readonly ipv6?: boolean;
}

class Rig {
  readonly network = new MemoryNetwork();
  readonly upstream: ScriptedServer;
  readonly resolver: StubResolver;
  #ids = 0;

  constructor({ script = nxdomain, resolver = "", hosts = "", ipv6 = true }: RigOptions = {}) {
    this.upstream = new ScriptedServer(this.network, NAMESERVER, script);
    this.resolver = new StubResolver({
      network: this.network,
      resolver: parseResolverFile(resolver),
      nameservers: [NAMESERVER],
      hosts: parseHostsFile(hosts),
      ipv6,
      randomId: () => ++this.#ids,
    });
  }

  start(name: string): Resolving & { readonly results: readonly ResolvedName[] } {
    const results: ResolvedName[] = [];
    const resolving = this.resolver.resolve(name, (result) => results.push(result));
    assert.deepEqual(results, [], "called from inside");
    return { results, abort: () => resolving.abort() };
  }

  /** The addresses, or the reason why there are none. */
  ask(name: string, wait = 0): readonly string[] | string {
    const { results } = this.start(name);
    this.network.advance(wait);
    assert.equal(results.length, 1);
    const [result] = results;
    return result!.kind === "addresses" ? result!.addresses : result!.reason;
  }
}

/** By name and type. */
function zone(records: Readonly<Record<string, readonly string[]>>, ttl = 60): Script {
  return ({ questions }): Packet => {
    const { name, type } = questions[0]!;
    const data = records[`${name} ${type}`];
    const alias = records[`${name} CNAME`]?.[0];
    if (data !== undefined) {
      return { flags: answered(), answers: data.map((each) => ({ name, type, ttl, data: each })) };
    }
    if (alias !== undefined) return { flags: answered(), answers: [{ name, type: "CNAME", ttl, data: alias }] };
    const exists = Object.keys(records).some((key) => key.startsWith(`${name} `));
    return { flags: answered(exists ? 0 : 3) };
  };
}

const EXT = { "ext.example.com A": ["1.2.3.4", "1.2.3.5"], "ext.example.com AAAA": ["fd00::4"] };

Deno.test("inpod B6.2: A and AAAA are asked at once", () => {
  const rig = new Rig({ script: zone(EXT) });
  assert.deepEqual(rig.ask("ext.example.com"), ["1.2.3.4", "1.2.3.5", "fd00::4"]);
  assert.deepEqual(rig.upstream.questions, ["A ext.example.com", "AAAA ext.example.com"]);
});

Deno.test("inpod B6.2: IPv4 only where IPv6 is off", () => {
  const rig = new Rig({ script: zone(EXT), ipv6: false, hosts: "fd00::9 six\n1.1.1.1 both\nfd00::1 both\n" });
  assert.deepEqual(rig.ask("ext.example.com"), ["1.2.3.4", "1.2.3.5"]);
  assert.deepEqual(rig.upstream.questions, ["A ext.example.com"]);
  assert.deepEqual(rig.ask("both"), ["1.1.1.1"]);
  assert.deepEqual(rig.ask("six"), []);
});

Deno.test("inpod B6.2: addresses, the hosts file and loopback need no question", () => {
  const rig = new Rig({ hosts: "10.1.1.1 Node\nfd00::1 node\n" });
  assert.deepEqual(rig.ask("10.0.0.1"), ["10.0.0.1"]);
  assert.deepEqual(rig.ask("FD00::1"), ["fd00::1"]);
  assert.deepEqual(rig.ask("NODE."), ["10.1.1.1", "fd00::1"]);
  assert.deepEqual(rig.ask("localhost"), ["127.0.0.1", "::1"]);
  assert.equal(rig.ask("x.invalid"), "NXDomain");
  assert.deepEqual(rig.upstream.asked, []);
});

const LISTS: readonly (readonly [file: string, name: string, candidates: readonly string[]])[] = [
  ["search a.b c.", "x", ["x.a.b", "x.c", "x"]],
  ["search a.b", "x.y", ["x.y", "x.y.a.b"]],
  ["search a.b\noptions ndots:3", "x.y", ["x.y.a.b", "x.y"]],
  ["domain d", "x", ["x.d", "x"]],
  ["search a.b", "x.", ["x"]],
  ["", "x", ["x"]],
];

for (const [file, name, candidates] of LISTS) {
  Deno.test(`inpod B6.2: ${name} with ${JSON.stringify(file)}`, () => {
    assert.deepEqual(candidateNames(name, parseResolverFile(file)), candidates);
  });
}

Deno.test("inpod B6.2: the names of the search list are tried one by one, both families each", () => {
  const rig = new Rig({ script: zone({ "ext.b A": ["1.2.3.4"] }), resolver: "search a b c" });
  assert.deepEqual(rig.ask("ext"), ["1.2.3.4"]);
  assert.deepEqual(rig.upstream.questions, ["A ext.a", "AAAA ext.a", "A ext.b", "AAAA ext.b"]);
});

Deno.test("inpod O2: a name without addresses has a reason", () => {
  const rig = new Rig({ resolver: "search a" });
  assert.equal(rig.ask("ext"), "NXDomain");
  assert.equal(rig.upstream.asked.length, 4);
  assert.equal(new Rig({ script: () => ({ flags: answered() }) }).ask("ext"), "no records found");
  assert.equal(new Rig({ script: () => ({ flags: answered(5) }) }).ask("ext"), "Refused");
  assert.equal(new Rig({ script: () => null }).ask("ext", 20_000), "request timed out");
  for (const name of ["a..b", "a b", "x".repeat(70), "ü"]) assert.equal(new Rig().ask(name), "not a DNS name");
});

Deno.test("inpod B6.2: aliases are followed within a response and across responses, up to a limit", () => {
  const inOne: Script = ({ questions: [asked] }) => ({
    flags: answered(),
    answers: [
      { name: "b", type: "A", ttl: 60, data: "1.2.3.4" },
      { name: "other", type: "A", ttl: 60, data: "9.9.9.9" },
      { name: asked!.name, type: "CNAME", ttl: 60, data: "b" },
    ],
  });
  assert.deepEqual(new Rig({ script: inOne, ipv6: false }).ask("a.x"), ["1.2.3.4"]);
  const far = new Rig({ script: zone({ "a.x CNAME": ["b.x"], "b.x CNAME": ["c.x"], "c.x A": ["1.2.3.4"] }) });
  assert.deepEqual(far.ask("a.x"), ["1.2.3.4"]);
  for (const script of [zone({ "a.x CNAME": ["a.x"] }), zone({ "a.x CNAME": ["b.x"], "b.x CNAME": ["a.x"] })]) {
    const rig = new Rig({ script, ipv6: false });
    assert.deepEqual(rig.ask("a.x"), []);
    assert.ok(rig.upstream.asked.length <= 8);
  }
});

Deno.test("inpod B6.2: an answer is cached for its TTL, a negative one for that of the SOA", () => {
  const rig = new Rig({ script: zone(EXT, 7) });
  rig.ask("ext.example.com");
  rig.network.advance(6999);
  rig.ask("EXT.example.com");
  assert.equal(rig.upstream.asked.length, 2);
  rig.network.advance(1);
  rig.ask("ext.example.com");
  assert.equal(rig.upstream.asked.length, 4);
  const data = { mname: "n", rname: "m", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 3 };
  const negative = new Rig({
    script: () => ({ flags: answered(3), authorities: [{ name: "x", type: "SOA", ttl: 9, data }] }),
  });
  negative.ask("a.x");
  negative.network.advance(2999);
  assert.equal(negative.ask("a.x"), "NXDomain");
  assert.equal(negative.upstream.asked.length, 2);
  negative.network.advance(1);
  negative.ask("a.x");
  assert.equal(negative.upstream.asked.length, 4);
});

Deno.test("inpod B6.2: equal names in flight share a lookup, which ends when its last caller aborts", () => {
  const rig = new Rig({ script: () => null });
  const [one, two] = [rig.start("ext.example.com"), rig.start("Ext.example.com")];
  rig.network.runUntilIdle();
  assert.equal(rig.upstream.asked.length, 2);
  one.abort();
  rig.upstream.script = zone({ "ext.example.com A": ["1.2.3.4"] });
  rig.network.advance(400);
  assert.deepEqual([one.results.length, two.results.length], [0, 1]);
  rig.upstream.script = () => null;
  const three = rig.start("gone.example.com");
  rig.network.runUntilIdle();
  const asked = rig.upstream.asked.length;
  three.abort();
  three.abort();
  rig.network.advance(60_000);
  assert.deepEqual([rig.upstream.asked.length, three.results.length], [asked, 0]);
});

Deno.test("inpod B6.2: a missing answer of one family costs 250 ms, and such a result is not cached", () => {
  const script: Script = (query) =>
    query.questions[0]!.type === "AAAA" ? null : zone(EXT)(query, "udp", new Uint8Array());
  const rig = new Rig({ script });
  const { results } = rig.start("ext.example.com");
  rig.network.advance(249);
  assert.equal(results.length, 0);
  rig.network.advance(1);
  assert.deepEqual(results, [{ kind: "addresses", addresses: ["1.2.3.4", "1.2.3.5"], lifetime: 0 }]);
  rig.upstream.script = zone(EXT);
  assert.equal(rig.ask("ext.example.com").length, 3);
});

Deno.test("inpod B6.2: 256 names may be resolved at a time; one more fails at once", () => {
  const rig = new Rig({ script: () => null });
  const started = Array.from({ length: 256 }, (_, i) => rig.start(`x${i}.example.com`));
  assert.equal(rig.ask("more.example.com"), "too many names are being resolved already");
  started[0]!.abort();
  rig.start("more.example.com");
  rig.resolver.close();
  rig.network.advance(60_000);
  assert.ok(started.every(({ results }) => results.length === 0));
});

Deno.test("inpod B6.2: the option edns0 adds an OPT record", () => {
  const rig = new Rig({ script: zone(EXT), resolver: "options edns0" });
  assert.equal(rig.ask("ext.example.com").length, 3);
  const opt = rig.upstream.asked[0]!.bytes.slice(-11);
  assert.deepEqual([...opt], [0, 0, 41, 1232 >> 8, 1232 & 255, 0, 0, 0, 0, 0, 0]);
});
