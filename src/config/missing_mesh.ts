/** The warning for a process that is not in a cluster and has no source of a mesh. */
import type { Environment } from "./environment.ts";
import type { ProxyConfig } from "./proxy_config.ts";

const TEXT =
  "this is not a pod of a cluster, and none of XDS_ADDRESS, LOCAL_XDS_PATH and LOCAL_XDS is set: istiod is " +
  "expected at https://localhost:15012. To try the proxy without a cluster, run `deno task demo` of its sources, or " +
  "start it as deploy/one-workload.yaml says. `ztunnel check` lists what is missing here";

/** The warning, or nothing where the mesh has a source. Such a process starts all the same, as the Rust ztunnel does. */
export function missingMeshWarnings(environment: Environment, mesh: Pick<ProxyConfig, "discoveryAddress">): string[] {
  const named = ["KUBERNETES_SERVICE_HOST", "XDS_ADDRESS", "LOCAL_XDS_PATH", "LOCAL_XDS"] as const;
  return mesh.discoveryAddress !== null || named.some((name) => environment.has(name)) ? [] : [TEXT];
}
