import { strict as assert } from "node:assert";
import { parseConfig } from "../../config/parse_config.ts";
import { testLog } from "../../telemetry/testkit/log.ts";
import { loadMesh } from "./local_mesh.ts";

const FILES = {
  read(path: string): string | null {
    if (path === "/etc/resolv.conf") return "nameserver 10.0.0.1\n";
    return null;
  },
  exists: () => false,
};

function workload(name: string, more: object): object {
  return {
    uid: name,
    name,
    namespace: "default",
    serviceAccount: name,
    workloadIps: ["10.0.0.2"],
    services: {},
    ...more,
  };
}

Deno.test("static mesh: a workload without a trust domain gets CLUSTER_DOMAIN", () => {
  const mesh = { workloads: [workload("a", {}), workload("b", { trustDomain: "other.example" })] };
  const environment = {
    XDS_ADDRESS: "",
    LOCAL_XDS: JSON.stringify(mesh),
    CLUSTER_DOMAIN: "corp.example",
    FAKE_CA: "true",
  };
  const changes = loadMesh(parseConfig(environment, FILES, 1), testLog().log);
  const domains = changes.flatMap((change) => change.kind === "workload" ? [change.workload.trustDomain] : []);
  assert.deepEqual(domains, ["corp.example", "other.example"]);
});
