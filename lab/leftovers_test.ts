import { strict as assert } from "node:assert";
import { ControlGroup, LIMITING_GROUPS } from "./control_group.ts";
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

testNeeding(
  { controlGroups: true },
  "leftovers: control groups of a process that has ended are removed, and no others",
  async () => {
    const ended = new Deno.Command("true").spawn();
    await ended.status;
    const limits = { memoryBytes: 1 << 26, milliCpu: 100 };
    ControlGroup.create(`zt-left-${ended.pid}-1`, limits);
    const kept = ControlGroup.create(`zt-kept-${Deno.pid}-1`, limits);
    try {
      removeLeftovers();
      for (const folder of LIMITING_GROUPS) assert.ok(!exists(`${folder}/zt-left-${ended.pid}-1`));
    } finally {
      kept.remove();
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
