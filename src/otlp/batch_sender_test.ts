import { strict as assert } from "node:assert";
import { MemoryScheduler } from "../net/testkit/memory_scheduler.ts";
import { type BatchOutcome, BatchSender, type CollectorAnswer, type Encoded } from "./batch_sender.ts";

const BATCH: Encoded = {
  body: new Uint8Array([1, 2, 3]),
  rejectedIn: (answer) => {
    if (answer[0] === 0xff) throw new Error("not a response");
    return { count: answer[0] ?? 0, message: "bad records" };
  },
};

type Script = Partial<CollectorAnswer> | Error | "hangs";

/** Lets promises that are settled continue. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

class Bed {
  readonly clock = new MemoryScheduler();
  /** Virtual times of the requests. */
  readonly requests: number[] = [];
  readonly said: string[] = [];
  outcome: BatchOutcome | null = null;
  readonly sender: BatchSender;

  constructor(...script: readonly Script[]) {
    const left = [...script];
    this.sender = new BatchSender({
      clock: this.clock,
      // Set back by an hour: only dates may depend on it.
      wallClock: () => this.clock.now() - 3_600_000,
      timeout: 10_000,
      batchTimeout: 30_000,
      random: () => 0.5,
      onProblem: ({ kind, setting }) => void this.said.push(`${kind} ${setting}`),
      onSuccess: () => void this.said.push("ok"),
      post: (_body, signal) => {
        this.requests.push(this.clock.now());
        const next = left.length > 1 ? left.shift()! : left[0]!;
        if (next instanceof Error) return Promise.reject(next);
        if (next !== "hangs") {
          return Promise.resolve({ status: 200, retryAfter: null, body: new Uint8Array(), ...next });
        }
        return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      },
    });
  }

  send(): void {
    void this.sender.send(BATCH).then((outcome) => this.outcome = outcome);
  }

  /** Passes `millis` in steps, so that what settles meanwhile continues at its time. */
  async pass(millis: number): Promise<void> {
    for (let left = millis; left > 0 && this.outcome === null; left -= 100) {
      await settle();
      this.clock.advance(100);
    }
    await settle();
  }
}

Deno.test("sender: a success is one request", async () => {
  const bed = new Bed({});
  bed.send();
  await bed.pass(1000);
  assert.deepEqual([bed.outcome, bed.requests, bed.said], [{ kind: "accepted", rejected: 0 }, [0], ["ok"]]);
});

Deno.test("sender: 429, 502, 503, 504 and broken connections are tried again with growing pauses", async () => {
  const bed = new Bed({ status: 503 }, new Error("Connection refused"), { status: 429 }, { status: 502 }, {});
  bed.send();
  await bed.pass(30_000);
  assert.deepEqual(bed.requests, [0, 1000, 3000, 7000, 15_000]);
  assert.deepEqual(bed.said, [
    "status 503 ENDPOINT",
    "connection ENDPOINT",
    "status 429 ENDPOINT",
    "status 502 ENDPOINT",
    "ok",
  ]);
});

Deno.test("sender: Retry-After is respected, also by the next batch", async () => {
  const bed = new Bed({ status: 429, retryAfter: "7" }, { status: 503, retryAfter: "60" }, {});
  bed.send();
  await bed.pass(30_000);
  assert.deepEqual([bed.requests, bed.outcome], [[0, 7000], { kind: "failed" }]);
  bed.outcome = null;
  bed.send();
  await bed.pass(70_000);
  assert.deepEqual(bed.requests, [0, 7000, 67_000]);
});

Deno.test("sender: Retry-After may be a date; one that cannot be read is ignored", async () => {
  const bed = new Bed(
    { status: 503, retryAfter: new Date(5000 - 3_600_000).toUTCString() },
    { status: 503, retryAfter: "soon" },
    {},
  );
  bed.send();
  await bed.pass(30_000);
  assert.deepEqual(bed.requests, [0, 5000, 7000]);
});

Deno.test("sender: other answers end the batch at once", async () => {
  for (
    const [status, setting] of [[400, "ENDPOINT"], [401, "HEADERS"], [404, "ENDPOINT"], [302, "ENDPOINT"], [
      500,
      "ENDPOINT",
    ]]
  ) {
    const bed = new Bed({ status: status as number });
    bed.send();
    await bed.pass(30_000);
    assert.deepEqual([bed.outcome, bed.requests, bed.said], [{ kind: "failed" }, [0], [`status ${status} ${setting}`]]);
  }
});

Deno.test("sender: a collector that hangs costs the request's time limit, and the batch its own", async () => {
  const bed = new Bed("hangs");
  bed.send();
  await bed.pass(60_000);
  assert.deepEqual(bed.outcome, { kind: "failed" });
  assert.deepEqual(bed.requests, [0, 11_000, 23_000]);
  assert.ok(bed.clock.now() <= 31_000, `${bed.clock.now()}`);
  assert.deepEqual(new Set(bed.said), new Set(["timeout TIMEOUT"]));
});

Deno.test("sender: a partial success counts the records that were not taken", async () => {
  const bed = new Bed({ body: new Uint8Array([4]) });
  bed.send();
  await bed.pass(1000);
  assert.deepEqual([bed.outcome, bed.said], [{ kind: "accepted", rejected: 4 }, ["rejected ENDPOINT"]]);
});

Deno.test("sender: a success whose body cannot be read is a success", async () => {
  const bed = new Bed({ body: new Uint8Array([0xff]) });
  bed.send();
  await bed.pass(1000);
  assert.deepEqual([bed.outcome, bed.said], [{ kind: "accepted", rejected: 0 }, ["ok"]]);
});

Deno.test("sender: its end ends a request and a pause", async () => {
  for (const script of ["hangs", { status: 503 }] as const) {
    const bed = new Bed(script);
    bed.send();
    await settle();
    bed.sender.close();
    await settle();
    assert.deepEqual(bed.outcome, { kind: "failed" });
    assert.equal(bed.requests.length, 1);
  }
});
