/** The sources of what `/config_dump` shows. */
import type { DumpSources } from "../admin/config_dump_route.ts";
import { BUILD } from "../config/build.ts";
import type { Config } from "../config/config.ts";
import { configDump } from "../config/config_dump.ts";
import { toJsonValue } from "../config/dump_value.ts";
import { versionInfo } from "../config/version.ts";
import type { JsonObject } from "../mesh/dump/objects.ts";
import type { Log } from "../telemetry/log.ts";
import type { Certificates } from "../control/certificates/certificates.ts";
import type { NodePods } from "../control/pods/node_pods.ts";
import { staticConfig } from "../control/mesh/static_config.ts";
import type { Workers } from "../control/workers/workers.ts";

interface DumpParts {
  readonly config: Config;
  readonly certificates: Certificates;
  readonly workers: Workers;
  readonly log: Log;
  /** Null in dedicated mode, and before pods are taken. */
  readonly pods: () => NodePods | null;
}

/** Connects the sections of the dump with the parts that have their data. */
export function dumpSources({ config, certificates, workers, log, pods }: DumpParts): DumpSources {
  return {
    certificates: () => certificates.statuses(),
    config: toJsonValue(configDump(config)) as JsonObject,
    version: { ...versionInfo(BUILD, `deno ${Deno.version.deno}`, config.istioVersion) },
    staticConfig: () => staticConfig(config, log.scope("ztunnel::admin")),
    mesh: () => workers.dump(),
    workloadState: config.mode === "shared" ? () => pods()?.dump() ?? nothing() : null,
  };
}

async function* nothing(): AsyncGenerator<string, void, undefined> {
  yield "{}";
}
