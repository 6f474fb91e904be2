import { strict as assert } from "node:assert";
import { isAlive, removeDeserted } from "./deserted.ts";
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
  "deserted: namespaces of a process that is gone are removed, and no others",
  async () => {
    const gone = new Deno.Command("true").spawn();
    await gone.status;
    const ours = `zt-kept-${Deno.pid}-100000`, theirs = `zt-deserted-${gone.pid}-1`;
    for (const name of [ours, theirs]) await run("ip", "netns", "add", name);
    try {
      // Whoever else tests on this machine may be faster.
      for (const { owner } of removeDeserted()) assert.notEqual(owner, Deno.pid);
      assert.ok(!exists(`/run/netns/${theirs}`));
      assert.ok(exists(`/run/netns/${ours}`));
    } finally {
      await run("ip", "netns", "del", ours);
    }
  },
);

Deno.test("deserted: a process lives until it has ended", async () => {
  const child = new Deno.Command("sleep", { args: ["600"] }).spawn();
  assert.ok(isAlive(child.pid));
  child.kill("SIGKILL");
  await child.status;
  assert.ok(!isAlive(child.pid));
});
