import { strict as assert } from "node:assert";
import { parseStaticFile } from "../src/mesh/static_file/static_file.ts";
import { meshFile, WORKLOADS } from "./workloads.ts";

Deno.test("demo: the proxy can read the mesh file", () => {
  const file = parseStaticFile(meshFile({ http: 8080, echo: 7777 }), "mesh.yaml");
  assert.deepEqual(file.workloads.map(({ workload }) => workload.name), WORKLOADS.map(({ name }) => name));
  assert.deepEqual(file.workloads.map(({ workload }) => workload.authorizationPolicies.length), [0, 1, 0]);
  assert.deepEqual([file.services.length, file.policies.length], [1, 1]);
});
