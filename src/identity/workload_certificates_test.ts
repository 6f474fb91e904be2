import { strict as assert } from "node:assert";
import fc from "fast-check";
import { testId } from "./testkit/authority.ts";
import { type CertificateHolder, type PrefetchRules, WorkloadCertificates } from "./workload_certificates.ts";

const SHARED: PrefetchRules = { mode: "shared", localNode: "node-1", keyedBy: "identity" };

class Keeper {
  readonly log: string[] = [];
  prefetch({ id }: { id: string }) {
    this.log.push(`prefetch ${id.split("/").at(-1)}`);
  }
  remove({ id, workloadUid }: { id: string; workloadUid: string | null }) {
    this.log.push(`remove ${id.split("/").at(-1)}${workloadUid === null ? "" : ` ${workloadUid}`}`);
  }
}

function pod(uid: string, name = "a", more: Partial<CertificateHolder> = {}): CertificateHolder {
  return { uid, id: testId(name), node: "node-1", nativeTunnel: false, hbone: true, ...more };
}

const prefetches: readonly [vector: string, rules: PrefetchRules, holder: CertificateHolder, expected: boolean][] = [
  ["identity C1", SHARED, pod("1"), true],
  ["identity C2", SHARED, pod("1", "a", { hbone: false, nativeTunnel: true }), true],
  ["identity C3", SHARED, pod("1", "a", { hbone: false }), false],
  ["identity C4", SHARED, pod("1", "a", { node: "node-2" }), false],
  ["identity C5", { ...SHARED, mode: "dedicated" }, pod("1"), false],
  ["identity C6", { ...SHARED, keyedBy: "workload" }, pod("1"), false],
  ["own node unknown", { ...SHARED, localNode: null }, pod("1"), false],
  ["no SPIFFE id", SHARED, pod("1", "a", { id: null }), false],
];

for (const [vector, rules, holder, expected] of prefetches) {
  Deno.test(`prefetch, ${vector}`, () => {
    const keeper = new Keeper();
    new WorkloadCertificates(keeper, rules).upsert(holder);
    assert.deepEqual(keeper.log, expected ? ["prefetch a"] : []);
  });
}

Deno.test("removal, identity C7 C8: with the last workload of the identity", () => {
  const keeper = new Keeper();
  const certificates = new WorkloadCertificates(keeper, SHARED);
  certificates.upsert(pod("1"));
  certificates.upsert(pod("2"));
  keeper.log.length = 0;
  certificates.remove("1");
  assert.deepEqual(keeper.log, []);
  certificates.remove("2");
  assert.deepEqual(keeper.log, ["remove a"]);
  certificates.remove("2");
  assert.equal(keeper.log.length, 1);
});

Deno.test("removal, identity C9: an update removes nothing", () => {
  const keeper = new Keeper();
  const certificates = new WorkloadCertificates(keeper, SHARED);
  certificates.upsert(pod("1"));
  certificates.upsert(pod("1", "a", { hbone: false }));
  certificates.upsert(pod("1"));
  assert.deepEqual(keeper.log, ["prefetch a"]);
});

Deno.test("removal, xds Q8: an update to another identity removes the old one", () => {
  const keeper = new Keeper();
  const certificates = new WorkloadCertificates(keeper, SHARED);
  certificates.upsert(pod("1"));
  certificates.upsert(pod("1", "b"));
  certificates.remove("1");
  assert.deepEqual(keeper.log, ["prefetch a", "remove a", "prefetch b", "remove b"]);
});

Deno.test("removal, identity C10: by pod where certificates are per pod", () => {
  const keeper = new Keeper();
  const certificates = new WorkloadCertificates(keeper, { ...SHARED, keyedBy: "workload" });
  certificates.upsert(pod("1"));
  certificates.upsert(pod("2"));
  certificates.remove("1");
  assert.deepEqual(keeper.log, ["remove a 1"]);
});

Deno.test("removal, identity 2.5: with an unknown node, workloads of every node count", () => {
  const keeper = new Keeper();
  const certificates = new WorkloadCertificates(keeper, { ...SHARED, localNode: null });
  certificates.upsert(pod("1", "a", { node: "elsewhere" }));
  certificates.remove("1");
  assert.deepEqual(keeper.log, ["remove a"]);
});

Deno.test("removal: workloads of other nodes are ignored", () => {
  const keeper = new Keeper();
  const certificates = new WorkloadCertificates(keeper, SHARED);
  certificates.upsert(pod("1"));
  certificates.upsert(pod("2", "a", { node: "node-2" }));
  certificates.remove("2");
  assert.deepEqual(keeper.log, ["prefetch a"]);
});

Deno.test("property: an identity is kept exactly while a local workload has it", () => {
  const step = fc.record({ uid: fc.constantFrom("1", "2", "3"), name: fc.constantFrom("a", "b", null) });
  fc.assert(fc.property(fc.array(step), (steps) => {
    const held = new Set<string>();
    const certificates = new WorkloadCertificates({
      prefetch: ({ id }) => void held.add(id),
      remove: ({ id }) => void held.delete(id),
    }, SHARED);
    const holders = new Map<string, string>();
    for (const { uid, name } of steps) {
      if (name === null) certificates.remove(uid), holders.delete(uid);
      else certificates.upsert(pod(uid, name)), holders.set(uid, testId(name));
      assert.deepEqual([...held].sort(), [...new Set(holders.values())].sort());
    }
  }));
});
