/** The static mesh of `LOCAL_XDS_PATH` or `LOCAL_XDS`. */
import type { Config } from "../../config/config.ts";
import type { MeshChange } from "../../mesh/model/changes.ts";
import { changesOf, parseStaticFile, type StaticFile } from "../../mesh/static_file/static_file.ts";
import type { Log } from "../../telemetry/log.ts";
import type { Workload } from "../../mesh/model/model.ts";

/** The changes that load the static mesh; none without one. Throws `ConfigError`, or an error with the path. */
export function loadMesh(config: Config, log: Log): readonly MeshChange[] {
  const { local } = config.xds;
  if (local === null) return [];
  const text = local.kind === "file" ? readFile(local.path) : local.yaml;
  const file = parseStaticFile(text, local.kind === "file" ? local.path : "LOCAL_XDS");
  log.scope("ztunnel::xds", { name: "local_client" }).info("local config initialized", {
    num_workloads: file.workloads.length,
    num_policies: file.policies.length,
  });
  warnOfAbsence(config, file, log);
  return changesOf(withTrustDomain(file, config.node.clusterDomain));
}

/** A workload without a trust domain gets `CLUSTER_DOMAIN`: without one it would have no identity. */
function withTrustDomain(file: StaticFile, trustDomain: string): StaticFile {
  const workloads = file.workloads.map((change) =>
    change.workload.trustDomain === "" ? { ...change, workload: { ...change.workload, trustDomain } } : change
  );
  return { ...file, workloads };
}

/** Without its workload a dedicated proxy refuses every connection, each after a wait: this is logged at the start. */
function warnOfAbsence(config: Config, file: StaticFile, log: Log): void {
  const { workload, node, xds } = config;
  if (workload === null || xds.address !== null) return;
  if (ownWorkload(config, file.workloads) !== null) return;
  const { namespace, name, serviceAccount } = workload;
  const where = node.name === null ? "" : ` with the node ${node.name} (NODE_NAME)`;
  log.scope("ztunnel::xds", { name: "local_client" }).warn(
    `workload ${namespace}/${name}/${serviceAccount} (PROXY_WORKLOAD_INFO) is not in the static mesh${where}: ` +
      "all its connections will be refused",
  );
}

/** The workload that a dedicated proxy serves. Null in shared mode, and where `changes` do not have it. */
export function ownWorkload({ workload, node }: Config, changes: readonly MeshChange[]): Workload | null {
  if (workload === null) return null;
  const { namespace, name, serviceAccount } = workload;
  for (const change of changes) {
    if (change.kind !== "workload") continue;
    const known = change.workload;
    const named = known.name === name && known.namespace === namespace && known.serviceAccount === serviceAccount;
    if (named && (node.name === null || known.node === node.name)) return known;
  }
  return null;
}

function readFile(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new Error(`cannot read LOCAL_XDS_PATH ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
