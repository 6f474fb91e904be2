import { strict as assert } from "node:assert";
import { descriptorCeiling, descriptorLimit } from "./limits.ts";

const module = new URL("limits.ts", import.meta.url).href;

Deno.test("limits are read", () => {
  const { soft, hard } = descriptorLimit();
  assert.ok(soft > 0 && soft <= hard);
});

Deno.test("the soft limit is raised to the hard one, in a process of its own", async () => {
  const script = `const { descriptorLimit, raiseDescriptorLimit } = await import("${module}");
    console.log(JSON.stringify([raiseDescriptorLimit(), descriptorLimit(), raiseDescriptorLimit()]));`;
  const command = `ulimit -Sn 200; exec "${Deno.execPath()}" eval --no-check '${script}'`;
  const { stdout, stderr } = await new Deno.Command("sh", { args: ["-c", command] }).output();
  const text = new TextDecoder().decode(stdout);
  assert.notEqual(text, "", new TextDecoder().decode(stderr));
  const [before, after, again] = JSON.parse(text);
  // The runtime itself may raise it before us.
  assert.ok(before.soft <= before.hard);
  assert.deepEqual(after, { soft: before.hard, hard: before.hard });
  assert.deepEqual(again, after);
});

Deno.test("64 descriptors are reserved for the runtime, or a quarter of a low limit", () => {
  assert.equal(descriptorCeiling(1_048_576), 1_048_512);
  assert.equal(descriptorCeiling(256), 192);
  assert.equal(descriptorCeiling(64), 48);
});
