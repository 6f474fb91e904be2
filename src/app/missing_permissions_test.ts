import { strict as assert } from "node:assert";
import { missingFlags, missingPaths } from "./missing_permissions.ts";

Deno.test("permissions: with all that are needed, nothing is reported", () => {
  assert.deepEqual(missingFlags(() => true), []);
  assert.deepEqual(missingPaths({ read: ["/a"], write: ["/b"] }, () => true), []);
  assert.deepEqual(missingPaths({ read: [], write: [] }, () => false), []);
});

Deno.test("permissions: each missing flag is reported together with the feature that needs it", () => {
  const lines = missingFlags(({ name }) => name !== "ffi");
  assert.deepEqual(lines, ["permission --allow-ffi is missing: libc and the TLS library are called directly"]);
  assert.equal(missingFlags(() => false).length, 4);
});

Deno.test("permissions: missing paths are reported with the flag that grants them", () => {
  const granted = (descriptor: Deno.PermissionDescriptor) => descriptor.name === "read" && descriptor.path === "/a";
  assert.deepEqual(missingPaths({ read: ["/a", "/b", "/c"], write: ["/a"] }, granted), [
    "permission --allow-read=/b,/c is missing: these paths are always read or named by settings",
    "permission --allow-write=/a is missing: files are created (LOCAL_CA_*) or Unix sockets are opened there",
  ]);
});
