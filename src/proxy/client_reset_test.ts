import { strict as assert } from "node:assert";
import { type Duplex, FAILED } from "../net/duplex.ts";
import { bytesBeforeReset } from "./client_reset.ts";

/** A broken stream as TCP has it: reads return what arrived before the reset, then fail. */
function brokenStream(text: string): Duplex {
  let rest = new TextEncoder().encode(text);
  return {
    broken: true,
    read(into: Uint8Array): number {
      if (rest.length === 0) return FAILED;
      const count = Math.min(into.length, rest.length);
      into.set(rest.subarray(0, count));
      rest = rest.subarray(count);
      return count;
    },
  } as Duplex;
}

Deno.test("client reset: what the client sent before its reset is kept, at most 4 KiB at once", () => {
  assert.equal(bytesBeforeReset(brokenStream("")), null);
  assert.equal(new TextDecoder().decode(bytesBeforeReset(brokenStream("all there is"))!), "all there is");
  const long = brokenStream("x".repeat(5000));
  assert.deepEqual([bytesBeforeReset(long)?.length, bytesBeforeReset(long)?.length], [4096, 904]);
});
