import { strict as assert } from "node:assert";
import { parseIp } from "../../net/address.ts";
import type { MeshChange } from "../model/changes.ts";
import { DEFAULT_WORKLOAD } from "../model/defaults.ts";
import { type Workload, workloadUid } from "../model/model.ts";
import { MeshState } from "./state.ts";

const A = workloadUid("Kubernetes//Pod/ns/a"), B = workloadUid("Kubernetes//Pod/ns/b");
const UIDS = [A, B];
const IPS = [parseIp("10.0.0.1")!, parseIp("10.0.0.2")!];

function workload(words: Partial<Workload>): MeshChange {
  return { kind: "workload", workload: { ...DEFAULT_WORKLOAD, ...words }, endpoints: new Map() };
}

/** How often the watch of A at the first address is notified by one batch. */
function lostBy(changes: readonly MeshChange[], start: Partial<Workload> = { workloadIps: [IPS[0]!] }): number {
  const state = new MeshState();
  state.apply([workload({ uid: A, ...start })]);
  let lost = 0;
  state.watchPlace(A, IPS[0]!, () => lost++);
  state.apply(changes);
  return lost;
}

Deno.test("a watch is notified when its workload is removed, moves, changes its network, or loses its address to another", () => {
  assert.equal(lostBy([{ kind: "remove-address", name: A }]), 1);
  assert.equal(lostBy([{ kind: "clear" }]), 1);
  assert.equal(lostBy([workload({ uid: A, workloadIps: [IPS[1]!] })]), 1);
  assert.equal(lostBy([workload({ uid: A, workloadIps: [IPS[0]!], network: "other" })]), 1);
  assert.equal(lostBy([workload({ uid: B, workloadIps: [IPS[0]!] })]), 1);
});

Deno.test("a watch is not notified when its workload is the same after the batch, or when others change", () => {
  const same = workload({ uid: A, workloadIps: [IPS[0]!] });
  assert.equal(lostBy([{ kind: "clear" }, same]), 0);
  assert.equal(lostBy([workload({ uid: A, workloadIps: [IPS[1]!, IPS[0]!], name: "renamed" })]), 0);
  assert.equal(lostBy([workload({ uid: B, workloadIps: [IPS[1]!] })]), 0);
  assert.equal(lostBy([workload({ uid: B, workloadIps: [IPS[0]!], network: "other" })]), 0);
});

Deno.test("a workload that is reached by its host name loses its place only when it is removed", () => {
  const named = { workloadIps: [], hostname: "db.example" };
  assert.equal(lostBy([workload({ uid: B, workloadIps: [IPS[0]!] })], named), 0);
  assert.equal(lostBy([{ kind: "remove-address", name: A }], named), 1);
});

Deno.test("random adds, moves and removals: a watch is notified exactly when the address no longer leads to its workload", () => {
  let seed = 15;
  const below = (limit: number) => (seed = (seed * 48271) % 0x7fffffff) % limit;
  const state = new MeshState();
  const watched = new Map<string, () => void>();
  for (let step = 0; step < 3000; step++) {
    const changes = Array.from({ length: 1 + below(3) }, (): MeshChange => {
      const uid = UIDS[below(2)]!;
      if (below(3) === 0) return { kind: "remove-address", name: uid };
      return workload({ uid, workloadIps: IPS.filter(() => below(2) === 0) });
    });
    state.apply(changes);
    for (const uid of UIDS) {
      for (const ip of IPS) {
        const key = `${uid} ${ip}`;
        const leadsThere = state.workloadByAddress("", ip)?.uid === uid;
        assert.equal(watched.has(key) && !leadsThere, false, `step ${step}: ${key} was not notified`);
        if (!leadsThere || watched.has(key)) continue;
        watched.set(
          key,
          state.watchPlace(uid, ip, () => {
            assert.notEqual(state.workloadByAddress("", ip)?.uid, uid, `step ${step}: ${key} is still there`);
            watched.delete(key);
          }),
        );
      }
    }
    // Some stop watching.
    for (const [key, stop] of watched) {
      if (below(10) === 0) {
        stop();
        watched.delete(key);
      }
    }
  }
});
