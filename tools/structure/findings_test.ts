import { strict as assert } from "node:assert";
import { circles, undocumented, unusedExports } from "./findings.ts";
import { readSource } from "./source_file.ts";

const files = (texts: Readonly<Record<string, string>>) =>
  Object.entries(texts).map(([path, text]) => readSource(path, text));
const named = (places: readonly { path: string; name: string }[]) => places.map(({ path, name }) => `${path} ${name}`);

Deno.test("structure: every form of import is read, with its names", () => {
  const text = `import { a, type B as C } from "./x.ts";
import type { D } from "../y.ts";
import * as all from "./z.ts";
import "./effect.ts";
export { e } from "./x.ts";
const { f } = await import("./x.ts");
const g = (await import("./x.ts")).g;
const h = await import("./x.ts");
let i: import("./x.ts").I;
import plain, { j } from "./x.ts";
import library from "yaml";
`;
  assert.deepEqual(
    readSource("src/net/file.ts", text).imports.map(({ path, names }) => `${path}: ${names?.join(" ") ?? "*"}`),
    [
      "src/net/x.ts: a B",
      "src/y.ts: D",
      "src/net/z.ts: *",
      "src/net/effect.ts: ",
      "src/net/x.ts: e",
      "src/net/x.ts: j",
      "src/net/x.ts: f",
      "src/net/x.ts: g",
      "src/net/x.ts: *",
      "src/net/x.ts: I",
    ],
  );
});

Deno.test("structure: circles are found through several files, and by types", () => {
  const found = circles(files({
    "src/a.ts": `import { b } from "./b.ts";`,
    "src/b.ts": `import type { C } from "./c.ts";`,
    "src/c.ts": `import { a } from "./a.ts";`,
    "src/d.ts": `import { a } from "./a.ts";`,
  }));
  assert.deepEqual(found, [["src/a.ts", "src/b.ts", "src/c.ts"]]);
});

Deno.test("structure: an export counts as used where another file imports its name or all of the file", () => {
  const found = unusedExports(files({
    "src/a.ts": "export const used = 1;\nexport class Unused {}\nexport async function lonely() {}\n",
    "src/b.ts": `import { used } from "./a.ts";`,
    "src/c.ts": "export type Anything = 1;\n",
    "src/d.ts": `import * as c from "./c.ts";`,
  }));
  assert.deepEqual(named(found), ["src/a.ts Unused", "src/a.ts lonely"]);
});

Deno.test("structure: functions, classes and interfaces need a docstring, above all where other rooms use them", () => {
  const room = (path: string) => path.split("/")[1]!;
  const found = undocumented(
    files({
      "src/net/a.ts":
        "/** Said. */\nexport function said() {}\n\nexport function silent() {}\n\nexport interface Own {}\n",
      "src/h2/b.ts": `import { said, silent } from "../net/a.ts";`,
      "src/net/c.ts": `import type { Own } from "./a.ts";`,
    }),
    room,
  );
  assert.deepEqual(named(found.all), ["src/net/a.ts silent", "src/net/a.ts Own"]);
  assert.deepEqual(named(found.acrossRooms), ["src/net/a.ts silent"]);
});
