/**
 * The commands on the pages for operators (`testkit/documents/pages.ts`): each block has a mark that says who
 * checks it (`testkit/documents/commands.ts`), and those for this machine are run here.
 */
import { strict as assert } from "node:assert";
import { testNeeding } from "../lab/needs.ts";
import { matchesOutput, type PageCommand } from "../testkit/documents/commands.ts";
import { pageCommands, PAGES } from "../testkit/documents/pages.ts";
import { DocsScene } from "../testkit/documents/scene.ts";

const ROOT = new URL("../", import.meta.url);

const isRun = ({ mark }: PageCommand) => mark === "test" || mark === "background";

/** A command that names a task in a sentence: most take long, and other tests run them. */
const TASK = /^npx -y deno@2\.9\.6 task /;

/** A command in a sentence that has no arguments, or placeholders such as `ID`, is a name: such a command must exist. */
function withoutPlaceholders(script: string): string {
  return script.replace(/^ztunnel ([a-z]+)(?: .*\b[A-Z]{2,}\b.*)?$/, "ztunnel help $1");
}

for (const page of PAGES) {
  const commands = pageCommands(page).commands.filter((command) =>
    isRun(command) && !(command.isInline && TASK.test(command.script))
  ).map((command) => command.isInline ? { ...command, script: withoutPlaceholders(command.script) } : command);
  if (commands.length === 0) continue;
  testNeeding(
    { namespaces: true, packages: ["curl", "dig", "python3"] },
    `docs: the commands of ${page} work`,
    async () => {
      const startsProxy = commands.some(({ mark }) => mark === "background");
      const asksProxy = commands.some(({ script }) => !script.startsWith("ztunnel help "));
      await using scene = await DocsScene.start(ROOT.pathname, asksProxy && !startsProxy ? "mesh" : "empty");
      for (const { script, mark, exitCode, output } of commands) {
        if (mark === "background") {
          scene.inBackground(script);
          continue;
        }
        const ended = await scene.run(script);
        const report = `${page}: ${script}\n${ended.output}\n${scene.backgroundOutput}`;
        assert.equal(ended.code, exitCode, report);
        if (output !== null) assert.ok(matchesOutput(ended.output, output), `${report}\n\nThe page shows:\n${output}`);
      }
    },
  );
}
