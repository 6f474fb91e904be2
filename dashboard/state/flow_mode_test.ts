import { strict as assert } from "node:assert";
import { flowMode } from "./flow_mode.ts";

Deno.test("flow mode: many events are asked for, few are followed, and in between nothing changes", () => {
  assert.deepEqual([0, 150, 201].map((rate) => flowMode("follow", rate)), ["follow", "follow", "poll"]);
  assert.deepEqual([5000, 150, 99].map((rate) => flowMode("poll", rate)), ["poll", "poll", "follow"]);
});
