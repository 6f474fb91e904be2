import { strict as assert } from "node:assert";
import { testNeeding } from "../../lab/needs.ts";
import { makeNamespace } from "../../lab/namespace.ts";
import { insideNamespace, openNamespace } from "../os/namespace.ts";
import { OwnedDescriptor } from "../os/owned_descriptor.ts";
import { anotherListens, hasListener } from "./other_listener.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

Deno.test("inpod A1.11: a listener is found in the kernel's tables of both families", () => {
  const v4 = `${HEAD}   0: 00000000:3AA0 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n`;
  const v6 = `${HEAD}   0: ${"0".repeat(32)}:3AA0 ${"0".repeat(32)}:0000 0A 00000000:00000000 00:00000000 0 0 0 1 1\n`;
  for (const table of [v4, v6]) {
    assert.ok(hasListener(table, 15008));
    assert.ok(!hasListener(table, 15006));
    assert.ok(!hasListener(table.replace(" 0A ", " 01 "), 15008), "a connection is no listener");
  }
  for (const table of ["", HEAD, "garbage\n\n", v4.slice(0, 120)]) assert.ok(!hasListener(table, 15008));
});

testNeeding(
  { namespaces: true },
  "inpod A1.11: a listener in another network namespace is found",
  async () => {
    await using namespace = await makeNamespace("listens");
    using descriptor = new OwnedDescriptor(openNamespace(namespace.path));
    assert.ok(!anotherListens(descriptor.fd, 15008));
    const listener = insideNamespace(descriptor.fd, () => Deno.listen({ hostname: "0.0.0.0", port: 15008 }));
    assert.ok(anotherListens(descriptor.fd, 15008));
    listener.close();
    assert.ok(!anotherListens(descriptor.fd, 15008));
  },
);
