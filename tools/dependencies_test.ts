import { strict as assert } from "node:assert";

interface Configuration {
  readonly imports: Readonly<Record<string, string>>;
  readonly lock: { readonly frozen: boolean };
  readonly allowScripts: { readonly deny?: readonly string[]; readonly allow?: readonly string[] };
}

const read = (path: string): unknown => JSON.parse(Deno.readTextFileSync(new URL(`../${path}`, import.meta.url)));
const CONFIGURATIONS = [
  "deno.json",
  "tools/proto/deno.json",
  "testkit/x509/deno.json",
  "testkit/cyclonedx/deno.json",
  "dashboard/deno.json",
  "testkit/browser/deno.json",
];

for (const path of CONFIGURATIONS) {
  Deno.test(`dependencies: ${path} pins versions, freezes its lock file and allows no install scripts`, () => {
    const { imports, lock, allowScripts } = read(path) as Configuration;
    for (const target of Object.values(imports)) {
      assert.match(target, /^npm:(@[^/]+\/)?[^@/]+@\d+\.\d+\.\d+(\/|$)|^\.\//);
    }
    assert.equal(lock.frozen, true);
    assert.equal(allowScripts.allow, undefined);
  });
}

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly isDynamic?: boolean;
      readonly code?: { readonly specifier: string };
    }[];
  }[];
}

/** The packages that are loaded together with a module: by itself or by what it imports statically. */
async function packagesOf(path: string): Promise<string[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", path],
    cwd: new URL("../", import.meta.url),
    stderr: "inherit",
  }).output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as Graph;
  const bySpecifier = new Map(modules.map((module) => [module.specifier, module.dependencies ?? []]));
  const reached = new Set<string>(), packages = new Set<string>();
  const walk = (specifier: string) => {
    if (reached.has(specifier)) return;
    reached.add(specifier);
    for (const { specifier: written, isDynamic, code } of bySpecifier.get(specifier) ?? []) {
      if (isDynamic === true || code === undefined) continue;
      if (/^npm:/.test(code.specifier)) packages.add(written);
      else walk(code.specifier);
    }
  };
  walk(new URL(`../${path}`, import.meta.url).href);
  assert.ok(reached.size > 50, `only ${reached.size} modules were found`);
  return [...packages].sort();
}

Deno.test("dependencies: a proxy and its workers start without the packages that only commands and profiles need", async () => {
  const early = ["@noble/hashes/sha2.js", "ipaddr.js", "protobufjs/minimal.js", "yaml"];
  for (const path of ["src/cli/command_line.ts", "src/dataplane/worker.ts"]) {
    const others = (await packagesOf(path)).filter((name) => !early.includes(name));
    assert.deepEqual(others, [], path);
  }
});
