import { strict as assert } from "node:assert";
import { parseStaticFile } from "../src/mesh/static_file/static_file.ts";
import { CAST, meshFile } from "./cast.ts";

Deno.test("demo: the mesh file is one that the proxy reads", () => {
  const file = parseStaticFile(meshFile({ http: 8080, echo: 7777 }), "mesh.yaml");
  assert.deepEqual(file.workloads.map(({ workload }) => workload.name), CAST.map(({ name }) => name));
  assert.deepEqual(file.workloads.map(({ workload }) => workload.authorizationPolicies.length), [0, 1, 0]);
  assert.deepEqual([file.services.length, file.policies.length], [1, 1]);
});
