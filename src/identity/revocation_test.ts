import { strict as assert } from "node:assert";
import * as build from "./certificate_builder.ts";
import { KeyUsage } from "./certificate_extensions.ts";
import { isMalformedList, parseRevocationList, type RevocationList } from "./crl.ts";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import type { PeerRole } from "./peer_chain.ts";
import { type Reporter, Revocation } from "./revocation.ts";
import { crlSigner, HOUR, type Issuer, makeCa, makeCrl, makeLeaf, newKey, NOW } from "./testkit/certificates.ts";

const ID = "spiffe://td/ns/a/sa/b";
const LEAF = Uint8Array.of(0x30, 0x39), OTHER = Uint8Array.of(99);
const authority = (name: string, options: Parameters<typeof makeCa>[1] = {}) =>
  makeCa(name, { extensions: crlSigner(), ...options });
const root = authority("root");
const leafOf = (issuer: Issuer, serial = LEAF, options = {}) => makeLeaf(issuer, ID, { serial, ...options });
const direct = [leafOf(root), root.certificate];

function read(crl: Uint8Array): RevocationList {
  const list = parseRevocationList(crl);
  assert.ok(!isMalformedList(list));
  return list;
}

class Bench {
  readonly scheduler = new MemoryScheduler();
  readonly rejected: Reporter[] = [];
  readonly untracked: Reporter[] = [];
  readonly ended: string[] = [];
  readonly revocation = new Revocation(this.scheduler, {
    rejected: (reporter) => this.rejected.push(reporter),
    untracked: (reporter) => this.untracked.push(reporter),
  });

  lists(...crls: readonly Uint8Array[]): this {
    this.revocation.replace(crls.map(read));
    this.scheduler.advance(0);
    return this;
  }

  code(chain: readonly Uint8Array[], role: PeerRole = "client"): string | null {
    return this.revocation.check(chain, role)?.code ?? null;
  }

  watch(name: string, chain: readonly Uint8Array[], role: PeerRole = "client"): () => void {
    const stop = this.revocation.watch(chain, role, () => this.ended.push(name));
    this.scheduler.advance(0);
    return stop;
  }
}

const intermediate = authority("intermediate", { issuer: root, serial: Uint8Array.of(2) });
const below = [leafOf(intermediate), intermediate.certificate, root.certificate];
const unsigning = makeCa("unsigning", { issuer: root });
const twin = authority("root");

interface Case {
  readonly vector: string;
  readonly chain: readonly Uint8Array[];
  readonly crls: readonly Uint8Array[];
  readonly code: "REVOKED" | "CRL_NOT_USABLE" | null;
}

const cases: readonly Case[] = [
  { vector: "L7, L9, S33: the leaf is listed", chain: direct, crls: [makeCrl(root, [LEAF])], code: "REVOKED" },
  { vector: "L26: another serial is listed", chain: direct, crls: [makeCrl(root, [OTHER])], code: null },
  {
    vector: "L8, S33, dataplane TL-03: the intermediate is listed by the root, the leaf is not",
    chain: below,
    crls: [makeCrl(root, [Uint8Array.of(2)])],
    code: "REVOKED",
  },
  {
    vector: "L14: the leaf is listed by the intermediate",
    chain: below,
    crls: [makeCrl(intermediate, [LEAF])],
    code: "REVOKED",
  },
  { vector: "6.6: no list of its issuer", chain: below, crls: [makeCrl(authority("other"), [LEAF])], code: null },
  { vector: "6.6: the leaf's serial, but another issuer's", chain: below, crls: [makeCrl(root, [LEAF])], code: null },
  {
    vector: "L25: overdue, and in force",
    chain: direct,
    crls: [makeCrl(root, [LEAF], { nextUpdate: NOW - HOUR })],
    code: "REVOKED",
  },
  {
    vector: "S34: signed by somebody else in the issuer's name",
    chain: direct,
    crls: [makeCrl(root, [OTHER], { key: newKey() })],
    code: "CRL_NOT_USABLE",
  },
  {
    vector: "S34: a forged one beside the issuer's own",
    chain: direct,
    crls: [makeCrl(root, [], { key: newKey() }), makeCrl(root, [LEAF])],
    code: "REVOKED",
  },
  {
    vector: "6.6: two authorities of one name, each with its list",
    chain: direct,
    crls: [makeCrl(twin, [LEAF]), makeCrl(root, [OTHER])],
    code: null,
  },
  {
    vector: "6.6: the issuer must not sign lists",
    chain: [leafOf(unsigning), unsigning.certificate, root.certificate],
    crls: [makeCrl(unsigning, [OTHER])],
    code: "CRL_NOT_USABLE",
  },
  {
    vector: "6.6: an issuer without key usage may",
    chain: bare(),
    crls: [makeCrl({ ...root, key: root.key }, [OTHER])],
    code: null,
  },
  {
    vector: "6.6: the root itself is not looked up",
    chain: direct,
    crls: [makeCrl(root, [Uint8Array.of(7)])],
    code: null,
  },
  { vector: "L3: no list", chain: direct, crls: [], code: null },
];

function bare(): Uint8Array[] {
  const issuer = makeCa("bare", { issuer: root, extensions: [build.caConstraints(null)] });
  return [leafOf(issuer), issuer.certificate, root.certificate];
}

for (const { vector, chain, crls, code } of cases) {
  Deno.test(`revocation, identity ${vector}`, () => {
    const bench = new Bench().lists(...crls);
    assert.equal(bench.code(chain), code);
    // The second time from the cache.
    assert.equal(bench.code(chain), code);
    assert.deepEqual(bench.rejected, code === null ? [] : ["destination", "destination"]);
    assert.equal(bench.code(chain, "server"), code);
    assert.equal(bench.rejected.filter((reporter) => reporter === "source").length, code === null ? 0 : 1);
  });
}

Deno.test("revocation: the message names the certificate and its issuer", () => {
  const bench = new Bench().lists(makeCrl(root, [LEAF]));
  assert.equal(
    bench.revocation.check(direct, "client")?.message,
    "certificate 12345 was revoked by its issuer (O=root)",
  );
});

Deno.test("revocation: off before the first lists", () => {
  const bench = new Bench();
  assert.equal(bench.code(direct), null);
  bench.watch("a", direct);
  assert.equal(bench.revocation.watched, 0);
});

Deno.test("revocation, identity L10 L11 L27: a connection ends when its leaf is listed, and is counted once", () => {
  const bench = new Bench().lists();
  bench.watch("a", below, "server");
  assert.deepEqual(bench.ended, []);
  bench.lists(makeCrl(intermediate, [LEAF]), makeCrl(root, [Uint8Array.of(2)]));
  assert.deepEqual([bench.ended, bench.rejected], [["a"], ["source"]]);
  bench.lists(makeCrl(intermediate, [LEAF]));
  assert.deepEqual([bench.ended, bench.rejected, bench.revocation.watched], [["a"], ["source"], 0]);
});

Deno.test("revocation, identity L12, dataplane TL-13: a connection ends also when its certificate has expired", () => {
  const bench = new Bench().lists();
  bench.watch("a", [leafOf(root, LEAF, { notBefore: NOW - 2 * HOUR, notAfter: NOW - HOUR }), root.certificate]);
  bench.lists(makeCrl(root, [LEAF]));
  assert.deepEqual(bench.ended, ["a"]);
});

Deno.test("revocation, identity L13 L20 L21: a listed authority ends all connections below it, and no others", () => {
  const bench = new Bench().lists();
  const second = authority("second", { issuer: intermediate });
  for (const name of ["a", "b", "c"]) {
    const leaf = leafOf(second, Uint8Array.of(name.charCodeAt(0)));
    bench.watch(name, [leaf, second.certificate, intermediate.certificate, root.certificate]);
  }
  bench.watch("other", direct);
  bench.lists(makeCrl(root, [Uint8Array.of(2)]));
  assert.deepEqual(bench.ended, ["a", "b", "c"]);
  assert.equal(bench.revocation.watched, 1);
});

Deno.test("revocation, identity L15: authorities with the same name are distinguished by their serials", () => {
  const bench = new Bench().lists();
  for (const serial of [10, 11]) {
    const issuer = authority("same", { issuer: root, serial: Uint8Array.of(serial) });
    bench.watch(String(serial), [leafOf(issuer), issuer.certificate, root.certificate]);
  }
  bench.lists(makeCrl(root, [Uint8Array.of(10)]));
  assert.deepEqual(bench.ended, ["10"]);
});

Deno.test("revocation, dataplane TL-10: connections of leaves on every level below a revoked authority end, those of its namesake stay", () => {
  const bench = new Bench().lists();
  for (const [name, serial] of [["revoked", 2], ["namesake", 3]] as const) {
    const first = authority("first", { issuer: root, serial: Uint8Array.of(serial) });
    const second = authority("second", { issuer: first });
    const third = authority("third", { issuer: second });
    for (const issuers of [[first], [second, first], [third, second, first]] as const) {
      const above = issuers.map(({ certificate }) => certificate);
      bench.watch(`${name} ${issuers.length}`, [leafOf(issuers[0]), ...above, root.certificate]);
    }
  }
  bench.watch("of the root", direct);
  bench.lists(makeCrl(root, [Uint8Array.of(2)]));
  assert.deepEqual(bench.ended, ["revoked 1", "revoked 2", "revoked 3"]);
  assert.equal(bench.revocation.watched, 4);
});

Deno.test("revocation, identity L16 L17, dataplane TL-11: listed before the watch began, a connection ends in the next turn", () => {
  const bench = new Bench().lists(makeCrl(root, [LEAF]));
  bench.revocation.watch(direct, "client", () => bench.ended.push("a"));
  assert.deepEqual(bench.ended, []);
  bench.scheduler.advance(0);
  assert.deepEqual([bench.ended, bench.rejected], [["a"], ["destination"]]);
  bench.lists(makeCrl(root, [OTHER])).watch("b", direct);
  assert.deepEqual(bench.ended, ["a"]);
});

Deno.test("revocation, identity L18 L19: a connection that has ended is not watched", () => {
  const bench = new Bench().lists();
  const stops = ["a", "b"].map((name) => bench.watch(name, below));
  assert.equal(bench.revocation.watched, 2);
  stops[0]!();
  bench.lists(makeCrl(intermediate, [LEAF]));
  assert.deepEqual([bench.ended, bench.revocation.watched], [["b"], 0]);
  stops[1]!();
  assert.equal(bench.revocation.watched, 0);
});

Deno.test("revocation: closing one connection stops the watch of another while lists are applied", () => {
  const bench = new Bench().lists();
  const stop = bench.watch("never", below);
  bench.revocation.watch(direct, "client", stop);
  bench.lists(makeCrl(root, [LEAF, Uint8Array.of(2)]));
  assert.equal(bench.revocation.watched, 0);
});

Deno.test("revocation, identity L22: ten thousand connections are checked in several turns; newer lists start over", () => {
  const bench = new Bench().lists();
  for (let i = 0; i < 10_000; i++) bench.revocation.watch(direct, "client", () => bench.ended.push("x"));
  bench.revocation.replace([read(makeCrl(root, [LEAF]))]);
  assert.equal(bench.ended.length, 500);
  bench.revocation.replace([read(makeCrl(root, [OTHER]))]);
  bench.scheduler.advance(0);
  assert.equal(bench.ended.length, 500);
  assert.equal(bench.revocation.watched, 9500);
});

Deno.test("revocation, identity L23, dataplane TL-14: a path that cannot be parsed is counted and not watched", () => {
  const bench = new Bench().lists(makeCrl(root, [LEAF]));
  bench.watch("a", [Uint8Array.of(48, 0), root.certificate], "server");
  assert.deepEqual([bench.untracked, bench.ended, bench.revocation.watched], [["source"], [], 0]);
});

Deno.test("revocation: a list signed by a leaf with cRLSign in the name of its issuer is not used", () => {
  const key = newKey();
  const leaf = leafOf(root, OTHER, { key, usage: [build.keyUsage(KeyUsage.DIGITAL_SIGNATURE | KeyUsage.CRL_SIGN)] });
  const bench = new Bench().lists(makeCrl({ certificate: leaf, name: root.name, key }, [LEAF]));
  assert.equal(bench.code(direct), "CRL_NOT_USABLE");
});

Deno.test("revocation, RFC 5280 7.1: a list applies although its issuer's name has another encoding and case", () => {
  const name = root.name.slice();
  // O=root, in PrintableString and capitals.
  name[name.length - 6] = 0x13;
  name.set(new TextEncoder().encode("ROOT"), name.length - 4);
  const bench = new Bench().lists(makeCrl(root, [LEAF], { name }));
  assert.equal(bench.code(direct), "REVOKED");
});
