/**
 * The pages for operators: `docs/`, README.md and `deploy/README.md`. `docs/commands.md` is made from the help of the
 * program, whose examples `src/cli/commands_test.ts` checks.
 */
import { commandsOf, type PageCommands } from "./commands.ts";

const ROOT = new URL("../../", import.meta.url);

/** Their paths, relative to the top of the project. */
export const PAGES: readonly string[] = [
  "README.md",
  "deploy/README.md",
  ...[...Deno.readDirSync(new URL("docs/", ROOT))].map(({ name }) => `docs/${name}`)
    .filter((path) => path.endsWith(".md") && path !== "docs/commands.md").sort(),
];

/** Returns the text of a page. */
export function pageText(page: string): string {
  return Deno.readTextFileSync(new URL(page, ROOT));
}

/** Returns the commands of a page. */
export function pageCommands(page: string): PageCommands {
  return commandsOf(pageText(page));
}
