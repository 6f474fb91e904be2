import { strict as assert } from "node:assert";
import type { SegmentCounts } from "../net/network_path.ts";
import { PathLoss } from "./path_loss.ts";

const NONE: SegmentCounts = { sent: 0, retransmitted: 0, received: 0, outOfOrder: 0 };

/** The verdicts after each step; a step is what happened since the last one. */
function verdicts(steps: readonly Partial<SegmentCounts>[]): boolean[] {
  const loss = new PathLoss();
  const counts = { ...NONE };
  return steps.map((step) => {
    for (const key of ["sent", "retransmitted", "received", "outOfOrder"] as const) {
      counts[key] = (counts[key] + (step[key] ?? 0)) >>> 0;
    }
    return loss.isLossy({ ...counts });
  });
}

Deno.test("path loss: a sender that sends 1 % of its segments again in two samples has a lossy path", () => {
  const step = { sent: 700, retransmitted: 7 };
  assert.deepEqual(verdicts([step, step, step]), [false, true, true]);
});

Deno.test("path loss: a receiver sees losses as segments out of order", () => {
  const step = { received: 700, outOfOrder: 84 };
  assert.deepEqual(verdicts([step, step]), [false, true]);
  const few = { received: 700, outOfOrder: 14 };
  assert.deepEqual(verdicts([few, few, few]), [false, false, false]);
});

Deno.test("path loss: losses in one sample only, or few of them, are not a lossy path", () => {
  const overshoot = { sent: 800, retransmitted: 60 }, steady = { sent: 800, retransmitted: 1 };
  assert.deepEqual(verdicts([overshoot, steady, overshoot, steady]), [false, false, false, false]);
});

Deno.test("path loss: small samples are added up, and the last verdict holds meanwhile", () => {
  const step = { sent: 200, retransmitted: 2 };
  assert.deepEqual(verdicts(Array(6).fill(step)), [false, false, false, false, false, true]);
  const bad = { sent: 500, retransmitted: 5 };
  assert.deepEqual(verdicts([bad, bad, { sent: 100 }, { sent: 500 }]), [false, true, true, false]);
});

Deno.test("path loss: counters may wrap", () => {
  const long = { sent: 2 ** 32 - 100, retransmitted: 2 ** 32 - 1 }, step = { sent: 700, retransmitted: 7 };
  assert.deepEqual(verdicts([long, step]), [false, true]);
});
