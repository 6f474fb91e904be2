import { strict as assert } from "node:assert";
import { SOURCE_VERSION } from "../src/config/build.ts";

const read = (path: string): string => Deno.readTextFileSync(new URL(`../${path}`, import.meta.url));

Deno.test("release: the source, deno.json, README, changelog and manifest name the same version", () => {
  assert.equal((JSON.parse(read("deno.json")) as { version: string }).version, SOURCE_VERSION);
  assert.equal(/^## (\d+\.\d+\.\d+)/m.exec(read("CHANGELOG.md"))?.[1], SOURCE_VERSION);
  assert.equal(/^Version (\d+\.\d+\.\d+) /m.exec(read("README.md"))?.[1], SOURCE_VERSION);
  assert.equal(/image: ztunnel:(\S+)/.exec(read("deploy/ztunnel.yaml"))?.[1], SOURCE_VERSION);
});

Deno.test("release: every image that deploy/ names has the version of the source", () => {
  const files = [...Deno.readDirSync(new URL("../deploy/values/", import.meta.url))];
  for (const path of ["deploy/ztunnel.yaml", ...files.map(({ name }) => `deploy/values/${name}`)]) {
    const versions = [...read(path).matchAll(/\bztunnel:(\d+\.\d+\.\d+)/g)].map(([, version]) => version);
    assert.deepEqual([...new Set(versions)].filter((version) => version !== SOURCE_VERSION), [], path);
  }
});
