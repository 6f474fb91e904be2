import { strict as assert } from "node:assert";
import { SOURCE_VERSION } from "../src/config/build.ts";

const read = (path: string): string => Deno.readTextFileSync(new URL(`../${path}`, import.meta.url));

Deno.test("release: the source, deno.json, README, changelog and manifest name the same version", () => {
  assert.equal((JSON.parse(read("deno.json")) as { version: string }).version, SOURCE_VERSION);
  assert.equal(/^## (\d+\.\d+\.\d+)/m.exec(read("CHANGELOG.md"))?.[1], SOURCE_VERSION);
  assert.equal(/^Version (\d+\.\d+\.\d+) /m.exec(read("README.md"))?.[1], SOURCE_VERSION);
  assert.equal(/image: ztunnel:(\S+)/.exec(read("deploy/ztunnel.yaml"))?.[1], SOURCE_VERSION);
});
