import { strict as assert } from "node:assert";
import fc from "fast-check";
import type { PodUid } from "./pod.ts";
import { TestNamespace } from "./testkit/host.ts";
import { check, ManagerBed as Bed, PROTOCOL_ERROR, workload } from "./testkit/manager.ts";

const TAKEN = "failure to start proxy : port 15008 is taken";

/** `released`: asserts at the end that all namespaces are released; not after a protocol error. */
function vector(id: string, what: string, play: (bed: Bed) => void, released = true): void {
  Deno.test(`inpod ${id}: ${what}`, () => {
    const bed = new Bed();
    play(bed);
    if (released) bed.assertAllReleased();
  });
}

vector("S1", "a pod is served", (bed) => {
  assert.equal(bed.add("a"), "ok");
  check(bed, { up: ["a@ns-a"], started: 1, ready: false });
});
vector("S2", "the same pod twice", (bed) => {
  assert.deepEqual([bed.add("a"), bed.add("a")], ["ok", "ok"]);
  check(bed, { up: ["a@ns-a"], started: 1 });
});
vector("S3", "a port is in use: the pod is pending until it is free", (bed) => {
  bed.host.occupied.add("ns-a");
  assert.equal(bed.add("a"), TAKEN);
  check(bed, { up: [], pending: 1, retry: true });
  bed.retry();
  check(bed, { up: [], pending: 1, retry: true });
  bed.host.occupied.clear();
  bed.retry();
  check(bed, { up: ["a@ns-a"], pending: 0, started: 1, retry: false });
});
vector("S4", "pending, and added again with a new namespace", (bed) => {
  bed.host.occupied.add("ns-a");
  assert.equal(bed.add("a"), TAKEN);
  assert.equal(bed.add("a", "ns-new"), "ok");
  check(bed, { up: ["a@ns-new"], pending: 0, started: 1 });
  bed.retry();
  check(bed, { started: 1, retry: false });
});
vector("S5", "a pending pod is deleted after the snapshot", (bed) => {
  assert.equal(bed.snapshotSent(), "ok");
  bed.host.occupied.add("ns-a");
  assert.equal(bed.add("a"), TAKEN);
  check(bed, { pending: 1 });
  assert.equal(bed.delete("a"), "ok");
  check(bed, { pending: 0 });
});
vector("S6", "a pending pod is deleted before the snapshot", (bed) => {
  bed.host.occupied.add("ns-a");
  assert.equal(bed.add("a"), TAKEN);
  assert.equal(bed.delete("a"), "ok");
  check(bed, { pending: 0 });
  assert.equal(bed.snapshotSent(), "ok");
  check(bed, { up: [], ready: true });
});
vector("S7", "deleted, and added again with the same namespace", (bed) => {
  assert.deepEqual([bed.snapshotSent(), bed.add("a"), bed.delete("a"), bed.add("a")], ["ok", "ok", "ok", "ok"]);
  check(bed, { up: ["a@ns-a"], started: 2 });
});
vector("S8", "kept on a new connection", (bed) => {
  bed.add("a");
  bed.snapshotSent();
  bed.reconnect();
  assert.deepEqual([bed.keep("a"), bed.snapshotSent()], ["ok", "ok"]);
  check(bed, { up: ["a@ns-a"], started: 1, ready: true });
});
vector("S9", "the same uid in another namespace: the new proxy first, then the old one ends", (bed) => {
  bed.add("a", "ns-1");
  assert.equal(bed.add("a", "ns-2"), "ok");
  check(bed, { up: ["a@ns-2"], started: 2 });
  assert.deepEqual(bed.host.served[0]!.stops, [{ kind: "immediate" }]);
});
vector("S10", "an Add without workload", (bed) => {
  assert.equal(bed.add("a", "ns-a", null), `${PROTOCOL_ERROR}workload_info is required but not present`);
  assert.equal(bed.namespaces[0]!.references, 0);
  assert.deepEqual(bed.lines.slice(-2), [
    'error inpod::workloadmanager failed to process message: ProtocolError("workload_info is required but not present")',
    "error inpod::workloadmanager protocol mismatch error while processing stream, shutting down",
  ]);
}, false);
vector("S11", "a Keep after the snapshot", (bed) => {
  bed.snapshotSent();
  assert.equal(bed.keep("a"), `${PROTOCOL_ERROR}pod keep received after snapshot`);
  check(bed, { ready: false });
}, false);
vector("S12", "a second snapshot", (bed) => {
  bed.snapshotSent();
  assert.equal(bed.snapshotSent(), `${PROTOCOL_ERROR}pod snapshot received already`);
}, false);
vector("S13", "the connection ends before the snapshot is complete", (bed) => {
  bed.add("a");
  bed.manager.disconnected();
  check(bed, { up: ["a@ns-a"], ready: false });
});
vector("S14", "not ready while a pod is pending", (bed) => {
  bed.host.occupied.add("ns-a");
  bed.add("a");
  assert.equal(bed.snapshotSent(), "ok");
  check(bed, { ready: false, retry: true });
  bed.host.occupied.clear();
  bed.retry();
  check(bed, { ready: true, up: ["a@ns-a"] });
});
vector("S15", "deleted after the snapshot", (bed) => {
  bed.add("a");
  bed.snapshotSent();
  assert.equal(bed.delete("a"), "ok");
  check(bed, { up: [], ready: true });
});
vector("S16, S17", "pods that a new snapshot does not name are removed", (bed) => {
  bed.add("a");
  bed.add("b");
  bed.snapshotSent();
  check(bed, { up: ["a@ns-a", "b@ns-b"] });
  bed.reconnect();
  assert.equal(bed.add("b", "ns-new"), "ok");
  assert.equal(bed.snapshotSent(), "ok");
  bed.host.answer();
  check(bed, { up: ["b@ns-new"], ready: true });
});
vector("S18, S19", "unknown pods are deleted and kept without effect", (bed) => {
  assert.equal(bed.keep("x"), "ok");
  assert.equal(bed.snapshotSent(), "ok");
  assert.equal(bed.delete("y"), "ok");
  check(bed, { up: [], ready: true });
});
vector("S20", "deleted during the snapshot: served until its end", (bed) => {
  bed.add("a");
  assert.equal(bed.delete("a"), "ok");
  check(bed, { up: ["a@ns-a"] });
  bed.snapshotSent();
  bed.host.answer();
  check(bed, { up: [] });
});
vector("S21", "a failed Add alone does not change the readiness", (bed) => {
  bed.snapshotSent();
  bed.host.occupied.add("ns-a");
  assert.equal(bed.add("a"), TAKEN);
  check(bed, { ready: true, pending: 1 });
  bed.add("b");
  check(bed, { ready: false });
});
vector("S22", "a new connection cancels retries", (bed) => {
  bed.host.occupied.add("ns-a");
  bed.add("a");
  bed.manager.disconnected();
  check(bed, { retry: false, pending: 1 });
  bed.host.occupied.clear();
  bed.manager.connected();
  bed.snapshotSent();
  check(bed, { up: [], pending: 0, ready: true });
});
vector("S23", "serving in the other namespace fails: the pod is served in the old one, and pending", (bed) => {
  bed.add("a", "ns-1");
  bed.host.occupied.add("ns-2");
  assert.equal(bed.add("a", "ns-2"), TAKEN);
  check(bed, { up: ["a@ns-1"], pending: 1, retry: true });
  bed.host.occupied.clear();
  bed.retry();
  bed.host.answer();
  check(bed, { up: ["a@ns-2"], pending: 0 });
});
vector("S23", "serving in the other namespace fails and the pod is deleted", (bed) => {
  bed.snapshotSent();
  bed.add("a", "ns-1");
  bed.host.occupied.add("ns-2");
  bed.add("a", "ns-2");
  assert.equal(bed.delete("a"), "ok");
  bed.host.answer();
  check(bed, { up: [], pending: 0 });
});
vector("S24", "the same namespace with another workload: the first one is kept", (bed) => {
  bed.add("a");
  assert.equal(bed.add("a", "ns-a", workload("other")), "ok");
  check(bed, { started: 1 });
  assert.deepEqual(bed.manager.pods.map(({ workload }) => workload.name), ["a"]);
});
vector("S25", "other pods are served during a new snapshot", (bed) => {
  bed.add("a");
  bed.snapshotSent();
  bed.reconnect();
  bed.add("b");
  check(bed, { up: ["a@ns-a", "b@ns-b"], ready: false });
});
vector("A1-A5", "states of pods", (bed) => {
  bed.host.occupied.add("ns-a");
  bed.add("a");
  assert.deepEqual(bed.states, ["a Pending"]);
  bed.host.occupied.clear();
  bed.retry();
  assert.deepEqual(bed.states, ["a Up"]);
  bed.add("a", "ns-2");
  assert.deepEqual(bed.states, ["a Up"]);
  bed.snapshotSent();
  bed.delete("a");
  assert.deepEqual(bed.states, []);
});

Deno.test("inpod A1.4: no message is read while pods start", () => {
  const bed = new Bed();
  bed.manager.receive({ kind: "add", uid: "a" as PodUid, workload: workload("a") }, new TestNamespace("ns-a"));
  assert.equal(bed.manager.busy, true);
  bed.host.answer();
  assert.equal(bed.manager.busy, false);
});

Deno.test("inpod A1.10: the connection ends while a pod starts: its outcome is not acknowledged", () => {
  for (const taken of [false, true]) {
    const bed = new Bed();
    const namespace = new TestNamespace("ns-a");
    bed.namespaces.push(namespace);
    if (taken) bed.host.occupied.add("ns-a");
    bed.manager.receive({ kind: "add", uid: "a" as PodUid, workload: workload("a") }, namespace);
    bed.reconnect();
    assert.equal(bed.manager.busy, true);
    bed.host.answer();
    assert.equal(bed.manager.busy, false);
    check(bed, { up: taken ? [] : ["a@ns-a"], pending: 0, retry: false });
    assert.equal(bed.keep("a"), "ok");
    bed.assertAllReleased();
  }
});

Deno.test("inpod golden: log lines of an Add that fails and is retried", () => {
  const bed = new Bed();
  bed.snapshotSent();
  bed.host.occupied.add("ns-pod-bare-1");
  bed.add("pod-bare-1", "ns-pod-bare-1", { name: "bare-1", namespace: "app", serviceAccount: "bare" });
  bed.retry();
  assert.deepEqual(bed.lines, [
    "info inpod::statemanager received snapshot sent",
    'info inpod::statemanager pod received, starting proxy uid="pod-bare-1" name="bare-1" namespace="app"',
    "error inpod::workloadmanager failed to start proxy: port 15008 is taken uid=pod-bare-1",
    'info inpod::workloadmanager scheduling retry uids=["pod-bare-1"]',
    'info inpod::statemanager retrying workload uid="pod-bare-1"',
    'info inpod::statemanager retrying workload failed: port 15008 is taken uid="pod-bare-1"',
    'info inpod::workloadmanager scheduling retry uids=["pod-bare-1"]',
  ]);
});

Deno.test("inpod: pods beyond the limit are refused, and their namespaces released", () => {
  const bed = new Bed();
  for (let i = 0; i < 4096; i++) assert.equal(bed.add(`p${i}`), "ok");
  assert.match(bed.add("one-more"), /^failure to start proxy : there are 4096 pods on this node already/);
  assert.equal(bed.namespaces.at(-1)!.references, 0);
  assert.equal(bed.add("p0", "ns-other"), "ok");
  check(bed, { pending: 0 });
});

Deno.test("inpod, property: one acknowledgement per message, and namespaces are used only until they are released", () => {
  const uid = fc.constantFrom("a", "b", "c"), netns = fc.constantFrom("1", "2");
  const move = fc.oneof(
    fc.record({ do: fc.constant("add" as const), uid, netns }),
    fc.record({ do: fc.constant("delete" as const), uid }),
    fc.record({ do: fc.constant("keep" as const), uid }),
    fc.record({ do: fc.constantFrom("snapshot" as const, "retry" as const, "reconnect" as const) }),
    fc.record({ do: fc.constantFrom("occupy" as const, "free" as const), netns }),
  );
  fc.assert(fc.property(fc.array(move, { maxLength: 40 }), (moves) => {
    const bed = new Bed();
    let complete = false;
    for (const each of moves) {
      switch (each.do) {
        case "add":
          bed.add(each.uid, each.netns);
          break;
        case "delete":
          bed.delete(each.uid);
          break;
        case "keep":
          if (!complete) bed.keep(each.uid);
          break;
        case "snapshot":
          if (!complete) bed.snapshotSent();
          complete = true;
          break;
        case "retry":
          if (bed.retryScheduled) bed.retry();
          break;
        case "reconnect":
          bed.reconnect();
          complete = false;
          break;
        case "occupy":
          bed.host.occupied.add(each.netns);
          break;
        case "free":
          bed.host.occupied.delete(each.netns);
          break;
        default:
          each satisfies never;
      }
      bed.host.answer();
      check(bed, {});
      // A pod stays served while it starts in another namespace.
      for (const { state, uid } of bed.manager.pods) {
        assert.equal(state === "Up", bed.host.up.some((text) => text.startsWith(`${uid}@`)));
      }
    }
    bed.assertAllReleased();
  }));
});
