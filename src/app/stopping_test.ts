import { strict as assert } from "node:assert";
import { Stopping } from "./stopping.ts";

Deno.test("a stop begins gracefully and can be forced; a forced one has begun, too", async () => {
  const stopping = new Stopping();
  assert.equal(stopping.state, "running");
  stopping.begin();
  await stopping.begun;
  assert.equal(stopping.state, "draining");
  stopping.force();
  await stopping.forced;
  stopping.begin();
  assert.equal(stopping.state, "cutting");

  const forced = new Stopping();
  forced.force();
  await Promise.all([forced.begun, forced.forced]);
});
