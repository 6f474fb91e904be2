import { strict as assert } from "node:assert";
import { BytePattern, randomBlock } from "./byte_pattern.ts";

const BLOCK = 1024 * 1024;

Deno.test("demo: the byte pattern is recognized in pieces of any size", () => {
  const block = randomBlock();
  const [sent, expected] = [new BytePattern(block), new BytePattern(block)];
  const all = new Uint8Array(3 * BLOCK);
  for (let at = 0; at < all.length;) {
    const piece = sent.at(at, 300_000);
    all.set(piece, at);
    at += piece.length;
  }
  for (let at = 0; at < all.length; at += 777_777) assert.ok(expected.matches(at, all.subarray(at, at + 777_777)));
  assert.ok(!expected.matches(0, all.subarray(BLOCK, BLOCK + 8)), "another block");
  assert.ok(!expected.matches(1, all.subarray(0, 8)), "another place");
  all[2 * BLOCK + 5]! ^= 1;
  assert.ok(!expected.matches(BLOCK, all.subarray(BLOCK)), "a flipped bit");
});
