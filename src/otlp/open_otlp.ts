/** Opens the export by OTLP for a running proxy. */
import { readFileSync } from "node:fs";
import { BUILD } from "../config/build.ts";
import type { OtlpSettings, OtlpSignalSettings } from "../config/otlp_settings.ts";
import { SYSTEM_CLOCK } from "../net/clock.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { collectorClient, httpPost } from "./http_post.ts";
import { OtlpExport, type OtlpParts } from "./otlp_export.ts";

/** Throws with the variable's name where a file of certificates cannot be used. */
export function openOtlp(settings: OtlpSettings, flows: OtlpParts["flows"], metrics: Metrics, log: Log): OtlpExport {
  const scope = log.scope("ztunnel::otlp");
  const exported = new OtlpExport({
    settings,
    version: BUILD.version,
    flows,
    clock: { now: SYSTEM_CLOCK.elapsed, after: SYSTEM_CLOCK.after },
    wallClock: SYSTEM_CLOCK.now,
    metrics,
    log: scope,
    post: (signal) => postOf(signal),
    random: Math.random,
    fillRandom: (bytes) => void crypto.getRandomValues(bytes),
  });
  const places = [settings.logs, settings.traces].flatMap((signal) =>
    signal === null ? [] : [new URL(signal.url).host]
  );
  scope.info(`connections are exported by OTLP to ${[...new Set(places)].join(", ")}`);
  return exported;
}

function postOf(settings: OtlpSignalSettings) {
  const { certificate, client } = settings;
  const authorities = certificate === null ? null : readPem("CERTIFICATE", certificate);
  const identity = client && {
    cert: readPem("CLIENT_CERTIFICATE", client.certificate),
    key: readPem("CLIENT_KEY", client.key),
  };
  try {
    return httpPost(settings, collectorClient({ authorities, identity }), `ztunnel/${BUILD.version}`);
  } catch (error) {
    const names = identity === null ? "CERTIFICATE" : "CERTIFICATE, CLIENT_CERTIFICATE and CLIENT_KEY";
    throw new Error(`cannot use the files of OTEL_EXPORTER_OTLP_${names}: ${reasonOf(error)}`);
  }
}

function readPem(variable: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new Error(`cannot use OTEL_EXPORTER_OTLP_${variable}=${path}: ${reasonOf(error)}`);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
