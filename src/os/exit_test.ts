import { strict as assert } from "node:assert";

Deno.test("exit: the status is that of the call, and nothing runs after it", async () => {
  const module = new URL("exit.ts", import.meta.url).href;
  const code = `globalThis.addEventListener("unload", () => console.log("unload"));
    const { exitAtOnce } = await import(${JSON.stringify(module)}); exitAtOnce(7);`;
  const { code: status, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["eval", "--no-check", code],
    stdout: "piped",
    stderr: "null",
  }).output();
  assert.deepEqual([status, new TextDecoder().decode(stdout)], [7, ""]);
});
