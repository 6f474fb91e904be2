import { strict as assert } from "node:assert";
import type { Pod, PodUid, Serving, ServingEvents } from "../../inpod/pod.ts";
import { MemoryScheduler } from "../../net/testkit/memory_scheduler.ts";
import { testLog } from "../../telemetry/testkit/log.ts";
import { StandbyHost } from "./standby_host.ts";

function bed() {
  const memory = new MemoryScheduler();
  const { log, lines } = testLog();
  const served: { readonly uid: string; readonly events: ServingEvents; stopped: boolean }[] = [];
  const others = new Set<string>();
  const said: string[] = [];
  const host = new StandbyHost({
    host: {
      serve({ uid }, events): Serving {
        const one = { uid, events, stopped: false };
        served.push(one);
        return { stop: () => void (one.stopped = true) };
      },
    },
    othersServe: ({ uid }) => others.has(uid),
    scheduler: memory,
    log: log.scope("ztunnel::inpod"),
  });
  const serve = (uid: string) =>
    host.serve(pod(uid), {
      onStarted: () => said.push(`${uid} started`),
      onFailed: (reason) => said.push(`${uid} failed: ${reason}`),
      onEnded: () => said.push(`${uid} ended`),
    });
  return { memory, lines, served, others, said, host, serve };
}

function pod(uid: string): Pod {
  const workload = { name: "app-0", namespace: "default", serviceAccount: "app" };
  return {
    uid: uid as PodUid,
    workload,
    namespace: { identity: `4:${uid}`, descriptor: -1, retain() {}, release() {} },
  };
}

Deno.test("standby: a pod that no proxy serves is served at once", () => {
  const { served, serve, host } = bed();
  serve("a");
  assert.deepEqual(served.map(({ uid }) => uid), ["a"]);
  assert.deepEqual(host.instances, []);
});

Deno.test("standby: a pod that another proxy serves is left to it until the authority answers", () => {
  const { memory, served, others, said, serve, host } = bed();
  others.add("a");
  serve("a");
  assert.deepEqual(said, [], "answers come later");
  memory.advance(60_000);
  assert.deepEqual(said, ["a started"]);
  assert.equal(served.length, 0);
  assert.deepEqual(host.instances, [{ instance: 0, uid: "a", namespace: "4:a", up: null }]);
  host.answered();
  served[0]!.events.onStarted();
  assert.deepEqual(said, ["a started"], "once");
  assert.deepEqual(host.instances, []);
  serve("b");
  assert.equal(served.length, 2, "from now on everybody is served at once");
});

Deno.test("standby: when the other proxy stops listening, its pods are served within five seconds", () => {
  const { memory, served, others, serve } = bed();
  others.add("a");
  serve("a");
  memory.advance(20_000);
  others.clear();
  memory.advance(5_000);
  assert.equal(served.length, 1);
});

Deno.test("standby: a pod that fails to start later is tried again", () => {
  const { memory, served, others, said, serve, host, lines } = bed();
  others.add("a");
  serve("a");
  memory.advance(0);
  host.answered();
  served[0]!.events.onFailed("no descriptors");
  served[0]!.events.onEnded();
  assert.match(lines().join("\n"), /failed to start proxy: no descriptors; trying again/);
  memory.advance(5_000);
  assert.equal(served.length, 2);
  assert.deepEqual(said, ["a started"]);
});

Deno.test("standby: stopping a pod ends it in every state", () => {
  const { memory, served, others, said, serve, host } = bed();
  others.add("a").add("b").add("c");
  const early = serve("a");
  early.stop({ kind: "immediate" });
  const waiting = serve("b");
  const late = serve("c");
  memory.advance(0);
  waiting.stop({ kind: "immediate" });
  memory.advance(0);
  assert.deepEqual(said.sort(), ["a ended", "b ended", "b started", "c started"]);
  host.answered();
  late.stop({ kind: "immediate" });
  assert.ok(served[0]!.stopped);
  served[0]!.events.onEnded();
  assert.deepEqual(said.at(-1), "c ended");
});
