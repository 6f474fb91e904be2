import { strict as assert } from "node:assert";
import { isAlive, removeLeftovers } from "./leftovers.ts";
import { testNeeding } from "./needs.ts";
import { run } from "./program.ts";

const exists = (path: string) => {
  try {
    return Deno.statSync(path) !== undefined;
  } catch {
    return false;
  }
};

testNeeding(
  { namespaces: true },
  "leftovers: namespaces of a process that has ended are removed, and no others",
  async () => {
    const ended = new Deno.Command("true").spawn();
    await ended.status;
    const ours = `zt-kept-${Deno.pid}-100000`, theirs = `zt-left-${ended.pid}-1`;
    for (const name of [ours, theirs]) await run("ip", "netns", "add", name);
    try {
      // Another test process may have removed them already.
      for (const { owner } of removeLeftovers()) assert.notEqual(owner, Deno.pid);
      assert.ok(!exists(`/run/netns/${theirs}`));
      assert.ok(exists(`/run/netns/${ours}`));
    } finally {
      await run("ip", "netns", "del", ours);
    }
  },
);

Deno.test("leftovers: isAlive is true until the process has ended", async () => {
  const child = new Deno.Command("sleep", { args: ["600"] }).spawn();
  assert.ok(isAlive(child.pid));
  child.kill("SIGKILL");
  await child.status;
  assert.ok(!isAlive(child.pid));
});
