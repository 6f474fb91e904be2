import { strict as assert } from "node:assert";
import type { PodOrder } from "../../dataplane/pod_messages.ts";
import type { PodUid, Serving } from "../../inpod/pod.ts";
import { TestNamespace } from "../../inpod/testkit/host.ts";
import { MemoryScheduler } from "../../net/testkit/memory_scheduler.ts";
import { PodFleet, type PodWorker } from "./pod_fleet.ts";

const IMMEDIATE = { kind: "immediate" } as const;
const GRACEFUL = { kind: "graceful", deadline: 1000 } as const;

class FakeWorker implements PodWorker {
  readonly orders: PodOrder[] = [];
  send(order: PodOrder): void {
    this.orders.push(order);
  }
}

class Bed {
  readonly scheduler = new MemoryScheduler();
  readonly workers: FakeWorker[];
  readonly fleet: PodFleet;
  readonly told: string[] = [];

  constructor(workers: number, sharedPorts = true) {
    this.workers = Array.from({ length: workers }, () => new FakeWorker());
    this.fleet = new PodFleet(this.workers, this.scheduler, { sharedPorts });
  }

  serve(): Serving {
    const workload = { name: "a", namespace: "app", serviceAccount: "a" };
    return this.fleet.serve({ uid: "a" as PodUid, workload, namespace: new TestNamespace("ns", 42) }, {
      onStarted: () => this.told.push("started"),
      onFailed: (reason) => this.told.push(`failed: ${reason}`),
      onEnded: () => this.told.push("ended"),
    });
  }

  says(worker: number, kind: "started" | "ended" | "failed", instance = 1): void {
    const from = this.workers[worker]!;
    const id = instance as never;
    this.fleet.receive(
      from,
      kind === "failed" ? { kind, instance: id, reason: `no ${worker}` } : { kind, instance: id },
    );
  }

  /** What each worker was told since the last time. */
  orders(): string[] {
    return this.workers.map(({ orders }) => orders.splice(0).map(({ kind }) => kind).join());
  }
}

Deno.test("a pod is served when all workers serve it, and has ended when none has it", () => {
  const bed = new Bed(2);
  const serving = bed.serve();
  for (const [index, worker] of bed.workers.entries()) {
    assert.deepEqual(worker.orders, [{
      kind: "serve",
      instance: 1 as never,
      uid: "a",
      workload: { name: "a", namespace: "app", serviceAccount: "a" },
      namespace: 42,
      announce: index === 0,
    }]);
  }
  assert.deepEqual(bed.orders(), ["serve", "serve"]);
  bed.says(0, "started");
  assert.deepEqual(bed.told, []);
  bed.says(1, "started");
  assert.deepEqual(bed.told, ["started"]);
  serving.stop(GRACEFUL);
  serving.stop(IMMEDIATE);
  assert.deepEqual(bed.orders(), ["stop,stop", "stop,stop"]);
  bed.says(1, "ended");
  assert.deepEqual(bed.told, ["started"]);
  bed.says(0, "ended");
  assert.deepEqual(bed.told, ["started", "ended"]);
  bed.scheduler.advance(10_000);
  assert.deepEqual(bed.told, ["started", "ended"]);
});

Deno.test("one worker fails: the others end it, and only then it has failed, so that its ports are free again", () => {
  for (const order of ["failure first", "failure last"] as const) {
    const bed = new Bed(2);
    bed.serve();
    bed.orders();
    if (order === "failure first") {
      bed.says(1, "failed");
      assert.deepEqual(bed.orders(), ["", ""]);
      bed.says(0, "started");
    } else {
      bed.says(0, "started");
      bed.says(1, "failed");
    }
    assert.deepEqual(bed.orders(), ["stop", ""]);
    assert.deepEqual(bed.told, []);
    bed.says(0, "ended");
    assert.deepEqual(bed.told, ["failed: no 1", "ended"]);
  }
});

Deno.test("a worker that does not answer: failed in time for the agent, its namespace kept until it has answered", () => {
  const bed = new Bed(2);
  bed.serve();
  bed.says(0, "started");
  bed.orders();
  bed.scheduler.advance(3999);
  assert.deepEqual(bed.told, []);
  bed.scheduler.advance(1);
  assert.deepEqual(bed.told, ["failed: no answer from 1 data-plane worker(s) within 4 s"]);
  assert.deepEqual(bed.orders(), ["stop", ""]);
  bed.says(0, "ended");
  assert.equal(bed.told.length, 1);
  bed.says(1, "started");
  assert.deepEqual(bed.orders(), ["", "stop"]);
  bed.says(1, "ended");
  assert.deepEqual(bed.told.slice(1), ["ended"]);
});

Deno.test("stopped while it starts: it ends everywhere", () => {
  const bed = new Bed(2);
  const serving = bed.serve();
  bed.says(0, "started");
  serving.stop(IMMEDIATE);
  assert.deepEqual(bed.orders(), ["serve,stop", "serve"]);
  bed.says(1, "started");
  bed.says(0, "ended");
  bed.says(1, "ended");
  assert.deepEqual(bed.told, ["failed: it was stopped before it was served", "ended"]);
});

Deno.test("ports that cannot be shared: one worker for each pod, in turn", () => {
  const bed = new Bed(2, false);
  bed.serve();
  assert.deepEqual(bed.orders(), ["", "serve"]);
  bed.says(1, "started", 1);
  bed.serve();
  assert.deepEqual(bed.orders(), ["serve", ""]);
  bed.says(0, "started", 2);
  assert.deepEqual(bed.told, ["started", "started"]);
});

Deno.test("answers of instances that are gone mean nothing", () => {
  const bed = new Bed(1);
  bed.says(0, "ended", 7);
  assert.deepEqual(bed.told, []);
});
