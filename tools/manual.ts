/**
 * `deno task docs`: makes the pages of `docs/` that come from the code. With `--check` it writes nothing, and fails where
 * a page differs from the code or a page names a file or a heading that does not exist.
 */
import { commandsPage } from "./manual/commands_page.ts";
import { configurationPage } from "./manual/configuration_page.ts";
import { deadLinks, deadNames, type Pages } from "./manual/links.ts";
import { metricsPage } from "./manual/metrics_page.ts";

const ROOT = new URL("../", import.meta.url);

const MADE: Readonly<Record<string, () => string>> = {
  "docs/commands.md": commandsPage,
  "docs/configuration.md": configurationPage,
  "docs/metrics.md": metricsPage,
};

const FILES: Pages = {
  read(path) {
    try {
      return Deno.readTextFileSync(new URL(path, ROOT));
    } catch {
      return null;
    }
  },
  exists(path) {
    try {
      Deno.statSync(new URL(path, ROOT));
      return true;
    } catch {
      return false;
    }
  },
};

/** The pages whose links are checked. */
function pages(): string[] {
  const markdown = (folder: string) =>
    [...Deno.readDirSync(new URL(folder, ROOT))].filter(({ name }) => name.endsWith(".md")).map(({ name }) =>
      folder + name
    );
  return [...markdown("./"), ...markdown("docs/"), ...markdown("docs/spec/"), "bench/README.md", "src/h2/README.md"];
}

function problems(): string[] {
  const stale = Object.entries(MADE).filter(([path, make]) => FILES.read(path) !== make())
    .map(([path]) => `${path} is not what the code says; run: deno task docs`);
  return [...stale, ...pages().flatMap((page) => [...deadLinks(page, FILES), ...deadNames(page, FILES)])];
}

if (Deno.args.includes("--check")) {
  const found = problems();
  for (const problem of found) console.error(problem);
  Deno.exit(found.length === 0 ? 0 : 1);
}
for (const [path, make] of Object.entries(MADE)) await Deno.writeTextFile(new URL(path, ROOT), make());
