import { strict as assert } from "node:assert";
import { randomBytes } from "./random_bytes.ts";

Deno.test("random bytes come from few fetches and never twice", () => {
  let fetches = 0, next = 0;
  const fill = randomBytes((batch) => {
    fetches++;
    for (let i = 0; i + 4 <= batch.length; i += 4) new DataView(batch.buffer).setUint32(i, next++);
  });
  const seen = new Set<number>();
  const word = new Uint8Array(4);
  for (let i = 0; i < 3000; i++) {
    fill(word);
    seen.add(new DataView(word.buffer).getUint32(0));
  }
  assert.equal(seen.size, 3000);
  assert.equal(fetches, 3);
});
