import { strict as assert } from "node:assert";
import { Argument, Command, Option } from "commander";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { type ProgramWords, wordsOf } from "./words.ts";
import { zshScript } from "./zsh.ts";

function program(): Command {
  const top = new Command("ztunnel").version("1", "-V, --version", "Print it").helpCommand(false);
  top.command("ask").description("Ask a proxy's \\port")
    .requiredOption("--to <target>", "[ipv6]:port")
    .option("--dump <file>", "a file")
    .addOption(new Option("--secret").hideHelp())
    .addOption(new Option("-f, --form <form>", "how").choices(["json", "text"]));
  top.command("print").addArgument(new Argument("<what>").choices(["a", "b"]));
  top.command("help").argument("[command]");
  return top;
}

Deno.test("completions: commands, options and values are those of the table, without what the help hides", () => {
  const { options, commands } = wordsOf(program());
  assert.deepEqual(options.map(({ names }) => names), [["-V", "--version"], ["-h", "--help"]]);
  assert.deepEqual(commands.map(({ name, argument }) => [name, argument]), [
    ["ask", null],
    ["print", { kind: "words", words: ["a", "b"] }],
    ["help", { kind: "words", words: ["ask", "print", "help"] }],
  ]);
  assert.deepEqual(commands[0]!.options.map(({ names, value }) => [...names, value]), [
    ["--to", { kind: "text", name: "target" }],
    ["--dump", { kind: "file" }],
    ["-f", "--form", { kind: "words", words: ["json", "text"] }],
    ["-h", "--help", null],
  ]);
});

Deno.test("completions: each script has the words in the syntax of its shell", () => {
  const words = wordsOf(program());
  for (const [script, line] of SAMPLES) assert.ok(script(words).split("\n").includes(line), script(words));
});

const SAMPLES: readonly (readonly [(words: ProgramWords) => string, string])[] = [
  [bashScript, '    ask:*) words="--to --dump -f --form -h --help" ;;'],
  [bashScript, '    ask:-f|ask:--form) mapfile -t COMPREPLY < <(compgen -W "json text" -- "$word"); return ;;'],
  [bashScript, "    ask:--to) return ;;"],
  [bashScript, '    print:*) words="a b" ;;'],
  [zshScript, "    'ask:Ask a proxy'\\''s \\port'"],
  [zshScript, "          '--to=[\\[ipv6\\]:port]:target:' \\"],
  [zshScript, "          '(-f --form)--form=[how]:words:(json text)' \\"],
  [zshScript, "          '1:words:(a b)' ;;"],
  [fishScript, "complete -c ztunnel -n 'test -z (__ztunnel_command)' -a 'ask' -d 'Ask a proxy\\'s \\\\port'"],
  [fishScript, "complete -c ztunnel -n 'test (__ztunnel_command) = ask' -s f -l form -x -a 'json text' -d 'how'"],
  [fishScript, "complete -c ztunnel -n 'test (__ztunnel_command) = ask' -l dump -r -F -d 'a file'"],
];
