/** Opens the export by OTLP for a running proxy. */
import { readFileSync } from "node:fs";
import { BUILD } from "../config/build.ts";
import type { OtlpSettings, OtlpSignalSettings } from "../config/otlp_settings.ts";
import { SYSTEM_CLOCK } from "../net/clock.ts";
import type { Log } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { httpPost } from "./http_post.ts";
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
  const { certificate } = settings;
  try {
    const pem = certificate === null ? null : readFileSync(certificate, "utf8");
    return httpPost(settings, pem, `ztunnel/${BUILD.version}`);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`cannot use OTEL_EXPORTER_OTLP_CERTIFICATE=${certificate}: ${reason}`);
  }
}
