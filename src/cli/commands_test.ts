import { strict as assert } from "node:assert";
import { runCommand } from "./commands.ts";

async function run(...args: string[]): Promise<{ code: number; printed: string; complained: string }> {
  const streams = { printed: "", complained: "" };
  const code = await runCommand(args, {
    print: (text) => void (streams.printed += text),
    complain: (text) => void (streams.complained += text),
    read: () => Promise.reject(new Error("not used")),
    fetch: () => Promise.reject(new Error("not used")),
  }, "version.BuildInfo{}");
  return { code, ...streams };
}

for (const args of [["version"], ["--version"], ["-V"]]) {
  Deno.test(`ztunnel ${args.join(" ")}: the version in one line, config 1.14`, async () => {
    assert.deepEqual(await run(...args), { code: 0, printed: "version.BuildInfo{}\n", complained: "" });
  });
}

for (const args of [["help"], ["--help"]]) {
  Deno.test(`ztunnel ${args.join(" ")}: version and commands, config 1.14`, async () => {
    const { code, printed, complained } = await run(...args);
    assert.deepEqual([code, complained], [0, ""]);
    assert.match(printed, /^\nIstio Ztunnel \(version\.BuildInfo\{\}\)\n\n/);
    for (const command of ["proxy", "version", "explain", "help"]) {
      assert.match(printed, new RegExp(`^  ${command} `, "m"));
    }
  });
}

Deno.test("ztunnel help explain: the options of the command", async () => {
  const { code, printed } = await run("help", "explain");
  assert.equal(code, 0);
  assert.match(printed, /^Usage: ztunnel explain[^]*--from <workload>/);
});

Deno.test("ztunnel with an unknown command: its name, the commands, exit code 1, config 1.14", async () => {
  const { code, printed, complained } = await run("frobnicate");
  assert.deepEqual([code, printed], [1, ""]);
  assert.match(complained, /^unknown command: frobnicate\n[^]*^Commands:$/m);
});
