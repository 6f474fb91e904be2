/** The static mesh of `LOCAL_XDS_PATH` or `LOCAL_XDS`. */
import type { Config } from "../config/config.ts";
import type { MeshChange } from "../mesh/changes.ts";
import { changesOf, parseStaticFile } from "../mesh/static_file.ts";
import type { Log } from "../telemetry/log.ts";

/** The changes that load it, none where there is none. Throws `ConfigError` or the system's error with the path. */
export function loadMesh(config: Config, log: Log): readonly MeshChange[] {
  const { local } = config.xds;
  if (local === null) return [];
  const text = local.kind === "file" ? readFile(local.path) : local.yaml;
  const file = parseStaticFile(text, local.kind === "file" ? local.path : "LOCAL_XDS");
  log.scope("ztunnel::xds", { name: "local_client" }).info("local config initialized", {
    num_workloads: file.workloads.length,
    num_policies: file.policies.length,
  });
  return changesOf(file);
}

function readFile(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    throw new Error(`cannot read LOCAL_XDS_PATH ${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
