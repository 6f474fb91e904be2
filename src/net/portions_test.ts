import { strict as assert } from "node:assert";
import { MemoryNetwork } from "./testkit/memory_network.ts";
import { Portions } from "./portions.ts";

Deno.test("portions are small for 200 ms after a small read", () => {
  const network = new MemoryNetwork();
  const portions = new Portions(network);
  const large = () => [portions.readSize, portions.gatherLimit, portions.inFlight, portions.receivePasses];
  assert.deepEqual(large(), [262_144, 1_048_576, null, 8]);
  portions.note(20_000);
  assert.equal(portions.areSmall, false);
  portions.note(78);
  assert.deepEqual(large(), [196_608, 205_000, 786_432, 1]);
  network.advance(150);
  portions.note(78);
  network.advance(150);
  assert.equal(portions.areSmall, true);
  network.advance(51);
  assert.deepEqual(large(), [262_144, 1_048_576, null, 8]);
});
