/** The completion scripts in interactive shells, on a pseudo terminal. */
import { strict as assert } from "node:assert";
import { inheritedEnvironment } from "../lab/environment.ts";
import { testNeeding } from "../lab/needs.ts";
import { Program } from "../lab/program.ts";
import { Proxy } from "../lab/proxy.ts";
import { tempDir } from "../lab/temp_dir.ts";

/** Prints its arguments in place of the program, behind a prompt whose first line tests can wait for. */
const POSIX = `PS1=$'ready\\n> '; ztunnel() { printf 'ran <%s>\\n' "$*"; }; source ./script`;
const SHELLS = {
  bash: { setup: POSIX, file: "rc", start: "bash --noprofile --rcfile ./rc -i" },
  zsh: { setup: `autoload -Uz compinit; compinit -u -D; ${POSIX}`, file: ".zshrc", start: "zsh -d -i" },
  fish: {
    setup: `function fish_prompt; printf 'ready\\n> '; end; function ztunnel; echo "ran <$argv>"; end; source ./script`,
    file: "rc",
    start: "fish --no-config --init-command 'source ./rc' --interactive",
  },
} as const;

/** Typed text, and the arguments with which the program is then run. */
const TYPED: readonly (readonly [keys: string, runs: string])[] = [
  ["exp\t--js\t", "explain --json"],
  ["explain --fr\t default/web --dump no\t", "explain --from default/web --dump node one.json"],
  ["completions z\t", "completions zsh"],
  ["help ver\t", "help version"],
  ["--vers\t", "--version"],
  ["proxy --h\t", "proxy --help"],
];

for (const [name, { setup, file, start }] of Object.entries(SHELLS)) {
  testNeeding({ packages: [name as keyof typeof SHELLS, "script"] }, `completions: ${name} completes`, async () => {
    using folder = tempDir();
    folder.write("node one.json", "");
    folder.write("script", await scriptFor(name));
    folder.write(file, setup);
    await using shell = new Program("script", {
      args: ["-qec", start, "/dev/null"],
      cwd: folder.path,
      env: {
        ...inheritedEnvironment(),
        HOME: folder.path,
        ZDOTDIR: folder.path,
        XDG_RUNTIME_DIR: folder.path,
        TERM: "xterm",
      },
      input: true,
    });
    for (const [index, [keys, runs]] of TYPED.entries()) {
      await shell.matches(/ready/, index + 1);
      await shell.type(`ztunnel ${keys}\n`);
      const [, args] = (await shell.matches(/ran <(.*?) *>/, index + 1)).at(-1)!;
      assert.equal(args, runs, `typed: ztunnel ${keys.replaceAll("\t", "<TAB>")}`);
    }
    await shell.matches(/ready/, TYPED.length + 1);
    await shell.type("exit\n");
    assert.equal((await shell.ended()).code, 0);
  });
}

/** What the program prints. */
async function scriptFor(shell: string): Promise<string> {
  await using program = new Proxy({}, { args: ["completions", shell] });
  const { code, output } = await program.ended();
  assert.equal(code, 0, output);
  return `${output}\n`;
}
