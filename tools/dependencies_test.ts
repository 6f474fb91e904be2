import { strict as assert } from "node:assert";

interface Configuration {
  readonly imports: Readonly<Record<string, string>>;
  readonly lock: { readonly frozen: boolean };
  readonly allowScripts: { readonly deny?: readonly string[]; readonly allow?: readonly string[] };
}

const read = (path: string): unknown => JSON.parse(Deno.readTextFileSync(new URL(`../${path}`, import.meta.url)));
const CONFIGURATIONS = ["deno.json", "tools/proto/deno.json", "testkit/x509/deno.json"];

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
