import { strict as assert } from "node:assert";
import { RecentBytes, SPARSE_BYTES } from "./recent_bytes.ts";

Deno.test("recent bytes: a stream sends little with up to 16 KiB in 200 ms, and its bytes are counted from 0 in the next 200 ms", () => {
  const sent = new RecentBytes();
  assert.equal(sent.areFew(0), true);
  sent.add(SPARSE_BYTES, 0);
  assert.equal(sent.areFew(0), true);
  sent.add(1, 199);
  assert.equal(sent.areFew(199), false);
  assert.equal(sent.areFew(200), true);
  sent.add(SPARSE_BYTES + 1, 200);
  assert.equal(sent.areFew(399), false);
});
