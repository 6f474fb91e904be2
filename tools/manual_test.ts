import { strict as assert } from "node:assert";
import { SETTINGS } from "../src/config/catalogue/settings.ts";
import { Environment } from "../src/config/environment.ts";
import { anchors, deadLinks, deadNames, linksOf } from "./manual/links.ts";
import { DEVELOPMENT, EXECUTABLE } from "./manual/other_variables.ts";
import { variablesRead } from "./manual/variables_read.ts";

const ROOT = new URL("../", import.meta.url);
/** Code whose variables the manual must name. Fixtures and the build scripts of peers have variables of their own. */
const FOLDERS = ["src/", "demo/", "bench/", "tools/", "tests/", "testkit/", "lab/"];
const OTHERS = /^tests\/(fixtures|peers)\/|_test\.ts$|^tools\/manual/;

function* sources(folder: string): Generator<readonly [path: string, text: string]> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = folder + name;
    if (isDirectory) yield* sources(`${path}/`);
    else if (/\.(ts|c|sh)$/.test(name) && !OTHERS.test(path)) yield [path, Deno.readTextFileSync(new URL(path, ROOT))];
  }
}

const CODE = [
  ...FOLDERS.flatMap((folder) => [...sources(folder)]),
  ["compile.sh", Deno.readTextFileSync(new URL("compile.sh", ROOT))] as const,
];

Deno.test("manual: every variable that the code reads is in the catalogue", () => {
  const known = new Set([SETTINGS, EXECUTABLE, DEVELOPMENT].flatMap((variables) => Object.keys(variables)));
  const missing = CODE.flatMap(([path, text]) =>
    variablesRead(text).filter((name) => !known.has(name)).map((name) => `${path} reads ${name}`)
  );
  assert.deepEqual(missing, []);
});

Deno.test("manual: every variable of the catalogue is read by the code", () => {
  const text = CODE.filter(([path]) => !path.startsWith("src/config/catalogue/")).map(([, source]) => source).join(
    "\n",
  );
  const read = new Set(variablesRead(text));
  const settings = Object.keys(SETTINGS).filter((name) => !text.includes(`"${name}"`));
  assert.deepEqual(settings, []);
  const others = Object.keys({ ...EXECUTABLE, ...DEVELOPMENT }).filter((name) => !read.has(name));
  assert.deepEqual(others, []);
});

Deno.test("manual: each default is a value that the setting accepts", () => {
  const environment: Record<string, unknown> = new Environment({}) as never;
  for (const [name, { syntax }] of Object.entries(SETTINGS)) {
    const read = environment[syntax];
    if (syntax !== "text" && typeof read === "function") assert.doesNotThrow(() => read.call(environment, name), name);
  }
});

Deno.test("manual: reads of variables are found in TypeScript, C and shell", () => {
  const text = 'Deno.env.get("A"); Deno.env.has(\n"B1"); getenv("C_C"); x=${D:-1} y=${E} process("F")';
  assert.deepEqual(variablesRead(text), ["A", "B1", "C_C", "D"]);
});

Deno.test("manual: links are found outside of code only", () => {
  const page = 'see [a](b.md#c) and ![p](d.svg "title") `[no](x)`\n```\n[no](y)\n```\n<img src="e.svg">';
  assert.deepEqual(linksOf(page), ["b.md#c", "d.svg", "e.svg"]);
});

Deno.test("manual: headings have the names that GitHub gives them", () => {
  const page = "# One, `two`: three!\n## Same\n## Same\n```\n# not a heading\n```\n### [Link](x) it";
  assert.deepEqual([...anchors(page)], ["one-two-three", "same", "same-1", "link-it"]);
});

Deno.test("manual: dead files and dead headings are reported", () => {
  const files: Record<string, string> = {
    "README.md":
      "[1](docs/a.md) [2](docs/a.md#here) [3](docs/a.md#gone) [4](none.md) [5](#own) [6](https://example.com)",
    "docs/a.md": "# Here\n[up](../README.md)",
  };
  const pages = { read: (path: string) => files[path] ?? null, exists: (path: string) => path in files };
  assert.deepEqual(deadLinks("README.md", pages), [
    "README.md: the link docs/a.md#gone leads nowhere: docs/a.md has no heading #gone",
    "README.md: the link none.md leads nowhere: there is no none.md",
    "README.md: the link #own leads nowhere: README.md has no heading #own",
  ]);
  assert.deepEqual(deadLinks("docs/a.md", pages), []);
});

Deno.test("manual: names of files that do not exist are reported", () => {
  const files: Record<string, string> = {
    "docs/a.md": "`h2/pool.ts` `docs/a.md` `pool.ts` `tools/none.sh` `../other/x.ts` `a/b/{c,d}.ts` `--out=x/y.json`",
    "src/h2/pool.ts": "",
  };
  const pages = { read: (path: string) => files[path] ?? null, exists: (path: string) => path in files };
  assert.deepEqual(deadNames("docs/a.md", pages), ["docs/a.md: there is no tools/none.sh"]);
});

Deno.test("manual: the README is short, and its first lines have the commands of the demo and of the tests", () => {
  const lines = Deno.readTextFileSync(new URL("README.md", ROOT)).split("\n");
  assert.ok(lines.length <= 120, `${lines.length} lines`);
  const start = lines.slice(0, 20).join("\n");
  for (const task of ["demo", "test"]) assert.ok(start.includes(`npx -y deno@2.9.6 task ${task} `), task);
});
