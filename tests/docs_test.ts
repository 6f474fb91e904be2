/**
 * The commands on the pages for operators (`testkit/documents/pages.ts`): each block has a mark that says who
 * checks it (`testkit/documents/commands.ts`), and those for this machine are run here.
 */
import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import project from "../deno.json" with { type: "json" };
import { testNeeding } from "../lab/needs.ts";
import { matchesOutput, type PageCommand } from "../testkit/documents/commands.ts";
import { pageCommands, PAGES, pageText } from "../testkit/documents/pages.ts";
import { DocsScene } from "../testkit/documents/scene.ts";
import { explainedTexts } from "../testkit/documents/texts.ts";

const ROOT = new URL("../", import.meta.url);

const isRun = ({ mark }: PageCommand) => mark === "test" || mark === "background";

/** A command that names a task in a sentence: most take long, and other tests run them. */
const TASK = /^npx -y deno@2\.9\.6 task /;

Deno.test("docs: every block of commands says who checks it", () => {
  const mistakes = PAGES.flatMap((page) => pageCommands(page).mistakes.map((mistake) => `${page}: ${mistake}`));
  assert.deepEqual(mistakes, []);
});

Deno.test("docs: every test exists that a page names for a block", () => {
  const files = PAGES.flatMap((page) => pageCommands(page).commands.map(({ runBy }) => runBy));
  assert.deepEqual(files.filter((file) => file !== null && !existsSync(new URL(file, ROOT))), []);
});

Deno.test("docs: every task that a page names exists", () => {
  const scripts = PAGES.flatMap((page) => pageCommands(page).commands.map(({ script }) => script));
  const names = scripts.flatMap((script) => [...script.matchAll(/\btask ([a-z][a-z:]+)/g)].map(([, name]) => name!));
  assert.ok(names.length > 0);
  assert.deepEqual(names.filter((name) => !(name in project.tasks)), []);
});

/** Texts that the sources make of several parts. */
const COMPOSED = [
  "cannot read root certificates",
  "cannot reach the SPIRE agent",
  "refused by server in connecting",
  "timeout by us in connecting",
  "http status: 400 Bad Request",
  "http status: 503 Service Unavailable",
  "type=Nack error=",
];
/** Texts of istiod (`docs/spec/real-peers-istiod.md`) and SPIRE (`docs/spec/identity-spire.md` 10.3). */
const OF_PEERS = ["authorization failed", "caller not configured as an authorized delegate"];

Deno.test("docs: the log lines and errors that the pages explain are in the sources", () => {
  const sources = ["src/", "tools/launcher/"].flatMap(sourceTexts).join("\n").replace(/\s+/g, " ");
  const texts = PAGES.flatMap((page) => explainedTexts(pageText(page))).flat();
  assert.ok(texts.length > 50);
  const known = new Set([...COMPOSED, ...OF_PEERS]);
  assert.deepEqual(texts.filter((text) => !known.has(text) && !sources.includes(text)), []);
});

function sourceTexts(folder: string): string[] {
  return [...Deno.readDirSync(new URL(folder, ROOT))].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return sourceTexts(`${folder}${name}/`);
    const isSource = /\.(ts|c)$/.test(name) && !name.endsWith("_test.ts");
    return isSource ? [Deno.readTextFileSync(new URL(folder + name, ROOT))] : [];
  });
}

/** A command in a sentence that has no arguments, or placeholders such as `ID`, is a name: such a command must exist. */
function withoutPlaceholders(script: string): string {
  return script.replace(/^ztunnel ([a-z]+)(?: .*\b[A-Z]{2,}\b.*)?$/, "ztunnel help $1");
}

for (const page of PAGES) {
  const commands = pageCommands(page).commands.filter((command) =>
    isRun(command) && !(command.isInline && TASK.test(command.script))
  );
  if (commands.length === 0) continue;
  testNeeding(
    { namespaces: true, packages: ["curl", "dig", "python3"] },
    `docs: the commands of ${page} work`,
    async () => {
      const ownProxy = commands.some(({ mark }) => mark === "background");
      await using scene = await DocsScene.start(ROOT.pathname, ownProxy ? "empty" : "mesh");
      for (const { script, mark, exitCode, output, isInline } of commands) {
        if (mark === "background") {
          scene.inBackground(script);
          continue;
        }
        const ended = await scene.run(isInline ? withoutPlaceholders(script) : script);
        const report = `${page}: ${script}\n${ended.output}`;
        assert.equal(ended.code, exitCode, report);
        if (output !== null) assert.ok(matchesOutput(ended.output, output), `${report}\n\nThe page shows:\n${output}`);
      }
    },
  );
}
