import { strict as assert } from "node:assert";
import { join, makeNamespace } from "./namespace.ts";
import { testNeeding } from "./needs.ts";

testNeeding({ namespaces: true }, "namespace: two of them are joined, and deleted with their scope", async () => {
  let path: string;
  {
    await using a = await makeNamespace("a");
    await using b = await makeNamespace("b");
    path = a.path;
    await join({ in: a, addresses: ["10.9.0.1/24", "fd09::1/64"] }, { in: b, addresses: ["10.9.0.2/24"] });
    assert.match(await a.run("ip", "route", "get", "10.9.0.2"), /dev v/);
    assert.match(await a.run("ip", "-6", "address"), /fd09::1/);
    assert.match(await b.run("ip", "address"), /10\.9\.0\.2/);
  }
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
});

testNeeding({ namespaces: true }, "namespace: nothing is left of one that cannot be prepared", async () => {
  let path = "";
  const fails = makeNamespace("fails", ({ path: made }) => {
    path = made;
    Deno.statSync(made);
    throw new Error("interrupted");
  });
  await assert.rejects(fails, /interrupted/);
  assert.throws(() => Deno.statSync(path), Deno.errors.NotFound);
});
