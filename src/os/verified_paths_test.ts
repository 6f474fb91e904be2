import { strict as assert } from "node:assert";
import { pathKey, VerifiedPaths } from "./verified_paths.ts";

const path = [Uint8Array.of(1)];

Deno.test("verified paths: an entry expires after a minute, also when it is used", () => {
  const paths = new VerifiedPaths();
  assert.equal(paths.get("a", 0), null);
  paths.set("a", path, 0);
  assert.equal(paths.get("a", 30_000), path);
  assert.equal(paths.get("a", 59_999), path);
  assert.equal(paths.get("a", 60_000), null);
  assert.equal(paths.size, 0);
});

Deno.test("verified paths: the cache is bounded, and the oldest entries are removed first", () => {
  const paths = new VerifiedPaths();
  for (let i = 0; i < 2000; i++) paths.set(String(i), path, 0);
  assert.equal(paths.size, 1024);
  assert.equal(paths.get("975", 1), null);
  assert.equal(paths.get("976", 1), path);
});

Deno.test("verified paths: context, role, and the order and number of certificates are in the key", () => {
  const keys = [
    pathKey(1, "client", ["a", "b"]),
    pathKey(2, "client", ["a", "b"]),
    pathKey(1, "server", ["a", "b"]),
    pathKey(1, "client", ["b", "a"]),
    pathKey(1, "client", ["a"]),
  ];
  assert.equal(new Set(keys).size, keys.length);
  assert.equal(pathKey(1, "client", ["a", "b"]), keys[0]);
});
