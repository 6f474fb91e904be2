import { strict as assert } from "node:assert";
import { runCommand } from "./commands.ts";
import { makeProgram } from "./program.ts";
import type { Terminal } from "./terminal.ts";

const VERSION = "version.BuildInfo{}";
const SILENT: Terminal = {
  columns: undefined,
  print: () => {},
  complain: () => {},
  read: () => Promise.reject(new Error("not used")),
  fetch: () => Promise.reject(new Error("not used")),
  open: () => Promise.reject(new Error("not used")),
  post: () => Promise.reject(new Error("not used")),
};
const PROGRAM = makeProgram(SILENT, VERSION, () => {});
const COMMANDS = PROGRAM.commands.map((command) => command.name());

async function run(...args: string[]): Promise<{ code: number; printed: string; complained: string }> {
  const streams = { printed: "", complained: "" };
  const code = await runCommand(args, {
    ...SILENT,
    print: (text) => void (streams.printed += text),
    complain: (text) => void (streams.complained += text),
  }, VERSION);
  return { code, ...streams };
}

for (const args of [["version"], ["--version"], ["-V"]]) {
  Deno.test(`ztunnel ${args.join(" ")}: the version in one line, config 1.14`, async () => {
    assert.deepEqual(await run(...args), { code: 0, printed: `${VERSION}\n`, complained: "" });
  });
}

for (const args of [["help"], ["--help"], ["-h"]]) {
  Deno.test(`ztunnel ${args.join(" ")}: version and commands, config 1.14`, async () => {
    const { code, printed, complained } = await run(...args);
    assert.deepEqual([code, complained], [0, ""]);
    assert.match(printed, /^\nIstio Ztunnel \(version\.BuildInfo\{\}\)\n\n/);
    for (const command of ["proxy", "version", "explain", "observe", "completions", "help"]) {
      assert.match(printed, new RegExp(`^  ${command} `, "m"));
    }
  });
}

for (const command of COMMANDS) {
  Deno.test(`ztunnel ${command}: each way to ask for help prints the same, with an example that can be run`, async () => {
    const { code, printed } = await run("help", command);
    assert.equal(code, 0);
    assert.match(printed, new RegExp(`^Usage: ztunnel ${command}\\b`));
    for (const option of ["--help", "-h"]) {
      assert.deepEqual(await run(command, option), { code: 0, printed, complained: "" });
    }
    const lines = [...(printed.split("\nExamples:\n")[1] ?? "").matchAll(/^.*?(?<!\S)ztunnel( [a-z][^)>\n]*)?/gm)];
    assert.ok(lines.length > 0, printed);
    for (const [, words = ""] of lines) assertKnown(words.split(" ").slice(1));
  });
}

/** Fails where the command or one of its options does not exist. */
function assertKnown([name = "proxy", ...words]: readonly string[]): void {
  const command = PROGRAM.commands.find((each) => each.name() === name);
  assert.ok(command !== undefined, `there is no command "${name}"`);
  for (const word of words.filter((each) => each.startsWith("--"))) {
    assert.ok(command.options.some(({ long }) => long === word), `${name} has no option ${word}`);
  }
}

Deno.test("ztunnel help explain: the options of the command", async () => {
  assert.match((await run("help", "explain")).printed, /--from <workload>/);
});

for (const args of [["frobnicate"], ["help", "frobnicate"]]) {
  Deno.test(`ztunnel ${args.join(" ")}: the name, the commands, exit code 1, config 1.14`, async () => {
    const { code, printed, complained } = await run(...args);
    assert.deepEqual([code, printed], [1, ""]);
    assert.match(complained, /^unknown command: frobnicate\n[^]*^Commands:$/m);
  });
}

const MISTAKES: readonly (readonly [line: string, message: string])[] = [
  ["--nonsense", "Error: unknown option '--nonsense'"],
  ["proxy --nonsense", "Error: unknown option '--nonsense'"],
  ["proxy ztunnel --nonsense", "Error: unknown option '--nonsense'"],
  ["version --nonsense", "Error: unknown option '--nonsense'"],
  ["-- proxy", "Error: 'proxy' must be the first word, without options"],
  ["completions", "Error: missing required argument 'shell'"],
  [
    "completions tcsh",
    "Error: command-argument value 'tcsh' is invalid for argument 'shell'. Allowed choices are bash,",
  ],
];
for (const [line, message] of MISTAKES) {
  Deno.test(`ztunnel ${line}: names the mistake and prints help, exit code 2`, async () => {
    const { code, printed, complained } = await run(...line.split(" "));
    assert.deepEqual([code, printed], [2, ""]);
    assert.ok(complained.startsWith(message), complained);
    assert.match(complained, /^Usage: ztunnel/m);
  });
}

for (const shell of ["bash", "zsh", "fish"]) {
  Deno.test(`ztunnel completions ${shell}: has every command and every option`, async () => {
    const { code, printed } = await run("completions", shell);
    assert.equal(code, 0);
    for (const command of PROGRAM.commands) {
      assert.match(printed, new RegExp(`\\b${command.name()}\\b`));
      for (const { long } of command.options) {
        assert.match(printed, new RegExp(`${shell === "fish" ? "-l " : "--"}${long?.slice(2)}\\b`));
      }
    }
  });
}
