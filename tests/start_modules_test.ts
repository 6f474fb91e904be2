/** Which modules of the runtime both halves of the bundled program load before the first connection. */
import { strict as assert } from "node:assert";
import { run } from "../lab/program.ts";
import { tempDir } from "../lab/temp_dir.ts";

const TOP = new URL("../", import.meta.url).pathname;
const IMPORT = /^(?:import|export)(?:[^"';]*? from)? ?"([^"]+)";$/gm;

/** Files that `start` imports statically, itself included, and the modules of the runtime that these import. */
function loaded(folder: string, start: string): { readonly files: Set<string>; readonly runtime: Set<string> } {
  const files = new Set([start]), runtime = new Set<string>();
  for (const file of files) {
    for (const [, name] of Deno.readTextFileSync(`${folder}/${file}`).matchAll(IMPORT)) {
      if (name!.startsWith("node:")) runtime.add(name!);
      else files.add(name!.replace("./", ""));
    }
  }
  return { files, runtime };
}

Deno.test("start: neither half of the program loads a module of the runtime that costs 10 ms of CPU", async () => {
  using dir = tempDir();
  const how = ["--quiet", "--frozen-lockfile", "--platform", "browser", "--code-splitting"];
  await run(Deno.execPath(), "bundle", ...how, "--outdir", dir.path, `${TOP}main.ts`);
  const names = [...Deno.readDirSync(dir.path)].map(({ name }) => name);
  for (const half of ["worker-", "command_line-"]) {
    const start = names.find((name) => name.startsWith(half));
    assert.ok(start !== undefined, `no file of the bundle begins with ${half}`);
    const { files, runtime } = loaded(dir.path, start);
    assert.ok(files.size > 5, `${half} has these files: ${[...files]}`);
    // Both share what they load; others are in docs/spec/dataplane-speed.md 12.
    const cheap = new Set(["node:buffer", "node:timers"]);
    assert.deepEqual([...runtime].filter((name) => !cheap.has(name)), [], half);
    // This library looks at `process`, which loads `node:process`.
    const text = [...files].map((file) => Deno.readTextFileSync(`${dir.path}/${file}`)).join("");
    assert.doesNotMatch(text, /global\.process/, half);
  }
});
