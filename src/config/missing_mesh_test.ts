import { strict as assert } from "node:assert";
import { Environment } from "./environment.ts";
import { missingMeshWarnings } from "./missing_mesh.ts";

function warnings(variables: Record<string, string>, discoveryAddress: string | null = null): string[] {
  return missingMeshWarnings(new Environment(variables), { discoveryAddress });
}

Deno.test("config: outside of a cluster one warning says how to try the proxy", () => {
  const [warning = "", ...more] = warnings({ NODE_NAME: "a" });
  assert.deepEqual(more, []);
  for (const word of ["https://localhost:15012", "task demo", "deploy/one-workload.yaml", "ztunnel check"]) {
    assert.ok(warning.includes(word), word);
  }
});

for (const name of ["KUBERNETES_SERVICE_HOST", "XDS_ADDRESS", "LOCAL_XDS_PATH", "LOCAL_XDS"]) {
  Deno.test(`config: with ${name} the mesh has a source`, () => assert.deepEqual(warnings({ [name]: "" }), []));
}

Deno.test("config: with a discovery address in the mesh file the mesh has a source", () => {
  assert.deepEqual(warnings({}, "istiod:15012"), []);
});
