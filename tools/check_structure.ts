/**
 * `deno run --allow-read tools/check_structure.ts [FOLDER ...]`: checks what a lint rule cannot see, since it needs more
 * than one file: circles of files, exports that no other file imports, and docstrings of what other rooms use. Exit
 * status 1 if there is any. Only findings in the folders are printed; without a folder, all of them.
 */
import { circles, type Place, undocumented, unusedExports } from "./structure/findings.ts";
import { readSource, type SourceFile } from "./structure/source_file.ts";

const TREES = ["main.ts", "src", "proto", "lab", "testkit", "tests", "tools", "demo", "bench", "dashboard"];
const GENERATED: readonly string[] = ["proto/gen", "testkit/gen"];

function filesUnder(path: string): SourceFile[] {
  if (GENERATED.includes(path)) return [];
  if (isModule(path)) return [readSource(path, Deno.readTextFileSync(path))];
  return [...Deno.readDirSync(path)]
    .filter(({ isDirectory, name }) => isDirectory || isModule(name))
    .map(({ name }) => `${path}/${name}`).sort()
    .flatMap(filesUnder);
}

function isModule(path: string): boolean {
  return path.endsWith(".ts") || path.endsWith(".tsx");
}

/** `src/h2/hpack/decoder.ts`: `src/h2`; `lab/bed/apps.ts`: `lab`. */
function roomOf(path: string): string {
  return path.split("/").slice(0, path.startsWith("src/") ? 2 : 1).join("/");
}

function main(folders: readonly string[]): number {
  Deno.chdir(new URL("..", import.meta.url));
  const files = TREES.flatMap(filesUnder);
  const isAsked = (path: string) => folders.length === 0 || folders.some((folder) => path.startsWith(folder));
  const list = (title: string, lines: readonly string[]) => {
    if (lines.length > 0) console.log([`${title}: ${lines.length}`, ...lines.map((line) => `  ${line}`)].join("\n"));
    return lines.length;
  };
  const named = (places: readonly Place[]) =>
    places.filter(({ path }) => isAsked(path)).map(({ path, name }) => `${path} ${name}`);
  const { all, acrossRooms } = undocumented(files.filter(({ path }) => !path.endsWith("_test.ts")), roomOf);
  const wrong = [
    list("circles of files", circles(files).filter((circle) => circle.some(isAsked)).map((paths) => paths.join(", "))),
    list("exports that no other file imports", named(unusedExports(files))),
    list("used by other rooms, without a docstring", named(acrossRooms)),
  ];
  console.log(`exported functions, classes and interfaces without a docstring: ${named(all).length}`);
  return wrong.some((count) => count > 0) ? 1 : 0;
}

if (import.meta.main) Deno.exit(main(Deno.args));
