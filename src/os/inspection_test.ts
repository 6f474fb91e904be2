import { strict as assert } from "node:assert";

Deno.test("inspection: once forbidden it stays forbidden, and the process can still inspect itself", async () => {
  const [module, libc] = ["inspection.ts", "libc.ts"].map((name) => new URL(name, import.meta.url).href);
  // Runs in a process of its own, since the flag applies to the whole process.
  const script = `const { forbidInspection } = await import("${module}");
    const { openLibc } = await import("${libc}");
    const { prctl } = openLibc({ prctl: { parameters: ["i32", "usize", "usize", "usize", "usize"], result: "i32" } });
    const PR_GET_DUMPABLE = 3;
    const allowsInspection = () => prctl(PR_GET_DUMPABLE, 0n, 0n, 0n, 0n) === 1;
    const before = allowsInspection();
    const done = forbidInspection();
    const self = [...Deno.readDirSync("/proc/self/fd")].length > 2 && Deno.readTextFileSync("/proc/self/maps") !== "";
    console.log(JSON.stringify([before, done, allowsInspection(), self]));`;
  const command = new Deno.Command(Deno.execPath(), { args: ["run", "-A", "-"], stdin: "piped", stdout: "piped" });
  const child = command.spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(script));
  await writer.close();
  const { stdout } = await child.output();
  assert.deepEqual(JSON.parse(new TextDecoder().decode(stdout)), [true, true, false, true]);
});
