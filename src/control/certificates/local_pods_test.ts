import { strict as assert } from "node:assert";
import type { Pod, PodHost, PodUid, ServingEvents } from "../../inpod/pod.ts";
import { LocalPods } from "./local_pods.ts";

function pod(uid: string, identity: string): Pod {
  const workload = { name: "app-0", namespace: "default", serviceAccount: "app" };
  return { uid: uid as PodUid, workload, namespace: { identity, descriptor: -1, retain() {}, release() {} } };
}

const EVENTS: ServingEvents = { onStarted() {}, onFailed() {}, onEnded() {} };

function bed() {
  const gone: string[] = [];
  const ends: ServingEvents[] = [];
  const pods = new LocalPods({ onGone: (uid) => gone.push(uid) });
  const host: PodHost = {
    serve(_, events) {
      ends.push(events);
      return { stop() {} };
    },
  };
  return { gone, ends, pods, host: pods.follow(host) };
}

Deno.test("identity S23: a pod is known while it is served, and gone when it is to be left", () => {
  const { gone, pods, host, ends } = bed();
  const serving = host.serve(pod("uid-1", "4:100"), EVENTS);
  assert.deepEqual(pods.find("uid-1"), {
    uid: "uid-1",
    namespace: "default",
    name: "app-0",
    networkNamespace: "4:100",
  });
  assert.equal(pods.find("uid-2"), null);
  serving.stop({ kind: "immediate" });
  assert.equal(pods.find("uid-1"), null);
  ends[0]!.onEnded();
  serving.stop({ kind: "immediate" });
  assert.deepEqual(gone, ["uid-1"]);
});

Deno.test("identity S23: a pod that moves to another namespace stays known, by the new one", () => {
  const { gone, pods, host } = bed();
  const before = host.serve(pod("uid-1", "4:100"), EVENTS);
  const after = host.serve(pod("uid-1", "4:101"), EVENTS);
  before.stop({ kind: "immediate" });
  assert.equal(pods.find("uid-1")?.networkNamespace, "4:101");
  assert.deepEqual(gone, []);
  after.stop({ kind: "immediate" });
  assert.deepEqual(gone, ["uid-1"]);
});

Deno.test("identity S23: a pod that could not be served is not known", () => {
  const { gone, pods, host, ends } = bed();
  host.serve(pod("uid-1", "4:100"), EVENTS);
  ends[0]!.onEnded();
  assert.equal(pods.find("uid-1"), null);
  assert.deepEqual(gone, ["uid-1"]);
});
