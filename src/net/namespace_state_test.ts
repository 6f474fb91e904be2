import { strict as assert } from "node:assert";
import { EINVAL, EMFILE } from "../os/errno.ts";
import { namespaceIdentity, openNamespace } from "../os/namespace.ts";
import { OwnedDescriptor } from "../os/owned_descriptor.ts";
import { inspectNamespace } from "./namespace_state.ts";

Deno.test("a namespace is recognized when no descriptor is free for a socket in it", () => {
  const own = new OwnedDescriptor(openNamespace("/proc/self/ns/net"));
  try {
    assert.deepEqual(inspectNamespace(own.fd, () => -EMFILE), {
      identity: namespaceIdentity(own.fd),
      cookie: null,
    });
    assert.equal(inspectNamespace(own.fd, () => -EINVAL), null);
  } finally {
    own.close();
  }
});

Deno.test("a descriptor that is closed is no namespace", () => {
  const own = new OwnedDescriptor(openNamespace("/proc/self/ns/net"));
  const { fd } = own;
  own.close();
  assert.equal(inspectNamespace(fd, () => -EMFILE), null);
});
