import { strict as assert } from "node:assert";

const ROOT = new URL("../", import.meta.url).pathname;

Deno.test("generated code is what the schemas give", async () => {
  const flags = ["--quiet", "--config", "tools/proto/deno.json", "--frozen", "-A", "--no-prompt"];
  const { code, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", ...flags, "tools/proto.ts", "--check"],
    cwd: ROOT,
    stdout: "null",
    stderr: "piped",
  }).output();
  assert.equal(code, 0, new TextDecoder().decode(stderr));
});
