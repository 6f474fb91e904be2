import { strict as assert } from "node:assert";
import { commandsOf, matchesOutput } from "./commands.ts";

const fence = (info: string, ...lines: string[]): string => ["```" + info, ...lines, "```"].join("\n");
const scripts = (page: string) => commandsOf(page).commands.map(({ script, mark }) => [mark, script]);

Deno.test("commands of a page: a block of the language sh is one script", () => {
  const page = ["text", fence("sh test", "a=1", "curl $a"), fence("sh cluster", "kubectl get pods")].join("\n\n");
  assert.deepEqual(scripts(page), [["test", "a=1\ncurl $a"], ["cluster", "kubectl get pods"]]);
});

Deno.test("commands of a page: in a block of the language console each command has its output", () => {
  const page = fence("console test exit=2", "$ one \\", "    more", "text", "$ two");
  assert.deepEqual(commandsOf(page).commands, [
    { script: "one \\\n    more", mark: "test", exitCode: 2, output: "text\n", runBy: null, isInline: false },
    { script: "two", mark: "test", exitCode: 2, output: null, runBy: null, isInline: false },
  ]);
});

Deno.test("commands of a page: programs within a sentence, and nothing else there", () => {
  assert.deepEqual(scripts("Run `ztunnel check` or `kubectl get pods`; `ztunnel` reads `XDS_ADDRESS`, `a b`."), [
    ["test", "ztunnel check"],
    ["cluster", "kubectl get pods"],
  ]);
});

Deno.test("commands of a page: blocks of a list are found, and the indentation is removed", () => {
  assert.deepEqual(scripts(["1. first", "", "   ```sh test", "   a", "     b", "   ```"].join("\n")), [[
    "test",
    "a\n  b",
  ]]);
});

Deno.test("commands of a page: a block without a mark is a mistake", () => {
  const mistakes = (info: string) => commandsOf(fence(info, "curl x")).mistakes;
  assert.deepEqual(mistakes(""), [`"" before "curl x": the block has no language`]);
  assert.deepEqual(mistakes("sh"), [`"sh" before "curl x": the block has no mark`]);
  assert.deepEqual(mistakes("sh tset"), [`"sh tset" before "curl x": the block has no mark`]);
  assert.deepEqual(mistakes("sh never:"), [`"sh never:" before "curl x": the block has no mark`]);
  assert.deepEqual(mistakes("console test"), [`"console test" before "curl x": the first line is no command`]);
  assert.deepEqual(mistakes("yaml test"), [`"yaml test" before "curl x": this language has no mark`]);
  for (
    const info of [
      "yaml",
      "sh never: it needs a registry",
      "sh test in the background",
      "sh test exit=1",
      "sh elsewhere: a_test.ts",
    ]
  ) {
    assert.deepEqual(mistakes(info), []);
  }
});

Deno.test("commands of a page: a command in an indented block is a mistake", () => {
  assert.deepEqual(commandsOf("text\n\n    $ ztunnel check\n").mistakes, [
    '"$ ztunnel check": only a fenced block has a mark',
  ]);
  assert.deepEqual(commandsOf(fence("sh test", "if true; then", "    curl x", "fi")).mistakes, []);
});

Deno.test("output of a page: placeholders stand for parts of a line and for whole lines", () => {
  assert.ok(matchesOutput("a\nb\n", "a\nb"));
  assert.ok(matchesOutput("id 17 (ms)\n", "id ... (ms)\n"));
  assert.ok(matchesOutput("a\nx\ny\nb", "a\n...\nb"));
  assert.ok(matchesOutput("a\nb", "a\n...\nb"));
  assert.ok(matchesOutput("a\nb\nc", "a\n..."));
  assert.ok(!matchesOutput("a\nb\nc", "a\nb"));
  assert.ok(!matchesOutput("id 17\nx", "id ...\ny"));
  assert.ok(!matchesOutput("axb", "a.b"));
});
