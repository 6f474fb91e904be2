import { strict as assert } from "node:assert";
import type { Clock, Millis, Timer } from "../../net/clock.ts";
import { MemoryNetwork } from "../../net/testkit/memory_network.ts";
import { type WorkloadUid, workloadUid } from "../model/model.ts";
import { EndpointHealth } from "./endpoint_health.ts";

const A = workloadUid("a"), B = workloadUid("b");

function health() {
  const clock = new CountedClock();
  const changes: WorkloadUid[] = [];
  return { clock, changes, table: new EndpointHealth(clock, (uid) => changes.push(uid)) };
}

/** Virtual time, with the number of timers. */
class CountedClock implements Clock {
  readonly #network = new MemoryNetwork();
  timers = 0;

  now(): Millis {
    return this.#network.now();
  }

  after(delay: Millis, run: () => void): Timer {
    this.timers++;
    const timer = this.#network.after(delay, () => {
      this.timers--;
      run();
    });
    return {
      cancel: () => {
        this.timers--;
        timer.cancel();
      },
    };
  }

  advance(ms: Millis): void {
    this.#network.advance(ms);
  }
}

function endpoint(uid: WorkloadUid, port = 80) {
  return { workload: { uid }, port };
}

Deno.test("an endpoint that failed is avoided for a second, and each change is reported", () => {
  const { clock, changes, table } = health();
  assert.equal(table.avoidance(A, 80), null);
  table.failed(endpoint(A), "refused");
  assert.deepEqual(changes, [A]);
  assert.equal(
    table.avoidance(A, 80),
    "set back for another 1.0 s, as a connection to it failed, the last one by: refused",
  );
  assert.deepEqual([table.avoidance(A, 81), table.avoidance(B, 80)], [null, null]);
  clock.advance(750);
  assert.match(table.avoidance(A, 80)!, /^set back for another 0\.3 s/);
  clock.advance(250);
  assert.deepEqual([table.avoidance(A, 80), changes], [null, [A, A]]);
});

Deno.test("the time doubles with each failure in a row, up to 30 s, and begins anew after a success", () => {
  const { clock, table } = health();
  const times = Array.from({ length: 7 }, () => {
    table.failed(endpoint(A), "refused");
    const before = clock.now();
    while (table.avoidance(A, 80) !== null) clock.advance(500);
    return clock.now() - before;
  });
  assert.deepEqual(times, [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  table.failed(endpoint(A), "timeout");
  assert.match(
    table.avoidance(A, 80)!,
    /^set back for another 30\.0 s, as 8 connections to it in a row failed, the last one by: timeout$/,
  );
  table.succeeded(endpoint(A));
  assert.deepEqual([table.size, table.avoidance(A, 80)], [0, null]);
  table.failed(endpoint(A), "refused");
  assert.match(table.avoidance(A, 80)!, /^set back for another 1\.0 s/);
});

Deno.test("failures of connections that began before it was set back do not make its time longer", () => {
  const { clock, table } = health();
  for (let i = 0; i < 100; i++) table.failed(endpoint(A), "refused");
  clock.advance(1000);
  assert.equal(table.avoidance(A, 80), null);
});

Deno.test("when its time is over one connection tries it, and others avoid it until that one has a result, or for 5 s", () => {
  const { clock, table } = health();
  table.failed(endpoint(A), "refused");
  table.begins(endpoint(A));
  clock.advance(1000);
  assert.equal(table.avoidance(A, 80), null, "a connection that had no other choice is no trial");
  table.begins(endpoint(A));
  assert.equal(
    table.avoidance(A, 80),
    "one connection is trying it again, as a connection to it failed, the last one by: refused",
  );
  clock.advance(4999);
  assert.notEqual(table.avoidance(A, 80), null);
  clock.advance(1);
  assert.equal(table.avoidance(A, 80), null, "the trial had no result");
  table.begins(endpoint(A));
  table.failed(endpoint(A), "refused");
  assert.match(table.avoidance(A, 80)!, /^set back for another 2\.0 s, as 2 connections/);
  clock.advance(2000);
  table.begins(endpoint(A));
  table.succeeded(endpoint(A));
  assert.deepEqual([table.avoidance(A, 80), table.size], [null, 0]);
});

Deno.test("an endpoint that nobody tries is forgotten after a minute, and then nothing wakes", () => {
  const { clock, table } = health();
  table.failed(endpoint(A), "refused");
  table.failed(endpoint(B), "refused");
  clock.advance(60_999);
  assert.equal(table.size, 2);
  clock.advance(1);
  assert.deepEqual([table.size, clock.timers], [0, 0]);
});

Deno.test("a workload that was changed or removed begins anew, and close ends all", () => {
  const { clock, table } = health();
  for (const uid of [A, B]) table.failed(endpoint(uid), "refused");
  table.remove(A);
  assert.deepEqual([table.avoidance(A, 80), table.size], [null, 1]);
  table.close();
  assert.deepEqual([table.avoidance(B, 80), table.size, clock.timers], [null, 0, 0]);
});

Deno.test("1,024 workloads with 16 ports each are remembered; beyond, the ones that failed first are removed", () => {
  const { changes, table } = health();
  for (let i = 0; i < 1024; i++) table.failed(endpoint(workloadUid(`${i}`)), "refused");
  changes.length = 0;
  table.failed(endpoint(A), "refused");
  assert.deepEqual([table.size, table.avoidance(workloadUid("0"), 80), changes], [1024, null, ["0", "a"]]);
  for (let port = 0; port < 17; port++) table.failed(endpoint(B, port), "refused");
  assert.deepEqual([table.avoidance(B, 0), table.avoidance(B, 1) === null, table.avoidance(B, 16) === null], [
    null,
    false,
    false,
  ]);
});
