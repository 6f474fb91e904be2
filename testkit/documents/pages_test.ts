/** What can be checked of the pages for operators without running their commands (`tests/docs_test.ts` runs them). */
import { strict as assert } from "node:assert";
import { existsSync } from "node:fs";
import project from "../../deno.json" with { type: "json" };
import { SOURCE_VERSION } from "../../src/config/build.ts";
import { pageCommands, PAGES, pageText } from "./pages.ts";
import { explainedTexts } from "./texts.ts";

const ROOT = new URL("../../", import.meta.url);

Deno.test("docs: every block of commands says who checks it", () => {
  const mistakes = PAGES.flatMap((page) => pageCommands(page).mistakes.map((mistake) => `${page}: ${mistake}`));
  assert.deepEqual(mistakes, []);
});

Deno.test("docs: every test exists that a page names for a block", () => {
  const files = PAGES.flatMap((page) => pageCommands(page).commands.map(({ runBy }) => runBy));
  assert.deepEqual(files.filter((file) => file !== null && !existsSync(new URL(file, ROOT))), []);
});

Deno.test("docs: every file of deploy/ that a command names exists", () => {
  const scripts = PAGES.flatMap((page) => pageCommands(page).commands.map(({ script }) => script));
  const files = scripts.flatMap((script) => script.match(/\bdeploy\/[\w./-]+\w/g) ?? []);
  assert.ok(files.length > 0);
  assert.deepEqual(files.filter((file) => !existsSync(new URL(file, ROOT))), []);
});

Deno.test("docs: commands name the image of this version; those about an upgrade may name the next one", () => {
  const images = PAGES.filter((page) => page !== "docs/upgrade.md").flatMap((page) =>
    pageCommands(page).commands.flatMap(({ script }) => script.match(/registry\.example\.com\/ztunnel:[\w.]+/g) ?? [])
  );
  assert.deepEqual([...new Set(images)], [`registry.example.com/ztunnel:${SOURCE_VERSION}`]);
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
