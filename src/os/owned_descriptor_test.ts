import { strict as assert } from "node:assert";
import { EFD_CLOEXEC } from "./constants.ts";
import { libc } from "./libc_sockets.ts";
import { OwnedDescriptor } from "./owned_descriptor.ts";
import { SpareDescriptor } from "./spare_descriptor.ts";
import { readSystemLink } from "./system_files.ts";

const isOpen = (fd: number) => {
  try {
    readSystemLink(`/proc/self/fd/${fd}`);
    return true;
  } catch {
    return false;
  }
};

Deno.test("an owned descriptor is closed once, at the end of its scope", () => {
  let fd: number;
  {
    using owned = new OwnedDescriptor(libc.eventfd(0, EFD_CLOEXEC));
    fd = owned.fd;
    assert.ok(isOpen(fd));
  }
  assert.ok(!isOpen(fd));
});

Deno.test("an owned descriptor that was taken is not closed", () => {
  const owned = new OwnedDescriptor(libc.eventfd(0, EFD_CLOEXEC));
  const fd = owned.take();
  assert.equal(owned.fd, -1);
  owned.close();
  assert.ok(isOpen(fd));
  libc.close(fd);
});

Deno.test("a spare descriptor is free while it is lent, and taken back even when the work throws", () => {
  const before = libc.eventfd(0, EFD_CLOEXEC);
  const spare = new SpareDescriptor();
  let lent = -1;
  assert.throws(() =>
    spare.lend(() => {
      lent = libc.eventfd(0, EFD_CLOEXEC);
      libc.close(lent);
      throw new Error("x");
    }), /^Error: x$/);
  assert.ok(isOpen(lent), "taken back");
  spare.close();
  spare.close();
  assert.ok(!isOpen(lent));
  libc.close(before);
});
