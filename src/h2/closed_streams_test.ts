import { strict as assert } from "node:assert";
import { ClosedStreams, Closing } from "./closed_streams.ts";

Deno.test("closed streams are recorded with their window, until their slot is used again", () => {
  const closed = new ClosedStreams();
  assert.equal(closed.get(1), Closing.UNKNOWN);
  closed.add(1, Closing.RESET_BY_US, 100);
  closed.add(3, Closing.ENDED, 5);
  assert.equal(closed.get(1), Closing.RESET_BY_US);
  assert.equal(closed.get(3), Closing.ENDED);
  assert.deepEqual([closed.take(1, 60), closed.take(1, 41), closed.take(1, 40)], [true, false, true]);
  closed.add(1 + 1024, Closing.RESET_BY_PEER, 0);
  assert.equal(closed.get(1), Closing.UNKNOWN);
  assert.equal(closed.get(1025), Closing.RESET_BY_PEER);
  for (let id = 1; id < 1_000_000; id += 2) closed.add(id, Closing.ENDED, 0);
  assert.equal(closed.get(999_999), Closing.ENDED);
});
