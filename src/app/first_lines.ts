/** The first lines of the log, and what the process sets for itself before anything else. */
import type { Config } from "../config/config.ts";
import { forbidInspection } from "../os/inspection.ts";
import { raiseDescriptorLimit } from "../os/limits.ts";
import { limitArenas } from "../os/memory.ts";
import type { Log } from "../telemetry/log.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import { versionLine } from "./version_line.ts";

/** Sets the limits of the process and logs them with the version. */
export function beginProcess(config: Config, log: Log): void {
  const scope = log.scope("ztunnel");
  scope.info(`version: ${versionLine(config.istioVersion)}`);
  const { soft, hard } = raiseDescriptorLimit();
  scope.info(`set file descriptor limits from ${soft} to ${hard}`);
  limitArenas(config.workerThreads);
  if (!config.debuggable && !forbidInspection()) scope.warn("the kernel lets others look into this process");
}

/** Logs the configuration and its warnings. */
export async function logConfig(config: Config, log: Log): Promise<void> {
  const scope = log.scope("ztunnel");
  // The dump has many lines.
  if (scope.isEnabled(LEVEL.info)) {
    const { startupDump } = await import("../config/config_dump.ts");
    log.line(LEVEL.info, scope.target, startupDump(config), "");
  }
  for (const warning of config.warnings) scope.warn(warning);
}

/** Logs what the workers run with. `library`: the version of the TLS library. */
export function logMode(config: Config, library: string, log: Log): void {
  log.scope("ztunnel::tls").info("TLS library in use", { library });
  const scope = log.scope("ztunnel::app");
  if (config.mode === "shared") return scope.info("shared proxy mode - in-pod mode enabled");
  scope.info("proxy mode enabled");
  if (!config.proxyEnabled) scope.info("no proxy created");
  if (!config.dnsEnabled) scope.info("no dns proxy created");
}
