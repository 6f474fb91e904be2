/**
 * Settings of the export by OTLP, with the variables and rules of the OpenTelemetry specification ("Environment Variable
 * Specification", "OTLP Exporter Configuration"). An empty variable counts as not set.
 */
import type { Millis } from "../net/clock.ts";
import type { SettingName } from "./catalogue/settings.ts";
import type { Environment } from "./environment.ts";
import { invalidConfiguration } from "./error.ts";
import { parseFloat64, parseU32 } from "./scalars.ts";

type OtlpHeader = readonly [name: string, value: string];

/** What is exported. */
export type OtlpSignal = "logs" | "traces";

/** How one signal is exported. */
export interface OtlpSignalSettings {
  readonly url: string;
  /** Values may be secret: never logged. */
  readonly headers: readonly OtlpHeader[];
  readonly isCompressed: boolean;
  /** Path of a PEM file with CA certificates; null: those of the runtime. */
  readonly certificate: string | null;
  /** Paths of PEM files: by which the collector knows this proxy; null: it does not ask. */
  readonly client: { readonly certificate: string; readonly key: string } | null;
  /** For one request. */
  readonly timeout: Millis;
  /** For a batch, with all its attempts. */
  readonly batchTimeout: Millis;
  /** For how long a batch is collected. */
  readonly delay: Millis;
  readonly queueMax: number;
  readonly batchMax: number;
}

/** Which connections have a span. */
export interface SamplerSettings {
  /** The part of the traces that begin here, from 0 to 1. */
  readonly ratio: number;
  /** Connections with a caller's proxy that sent a `traceparent` have a span where that has one. */
  readonly followsParent: boolean;
}

/** The export of access logs and spans. */
export interface OtlpSettings {
  /** Null: not exported. */
  readonly logs: OtlpSignalSettings | null;
  readonly traces: OtlpSignalSettings | null;
  readonly sampler: SamplerSettings;
  /** Attributes of the resource: this proxy. */
  readonly resource: Readonly<Record<string, string>>;
}

const PATHS = { logs: "v1/logs", traces: "v1/traces" } as const;
const COMMON = {
  PROTOCOL: "OTEL_EXPORTER_OTLP_PROTOCOL",
  TIMEOUT: "OTEL_EXPORTER_OTLP_TIMEOUT",
  COMPRESSION: "OTEL_EXPORTER_OTLP_COMPRESSION",
  CERTIFICATE: "OTEL_EXPORTER_OTLP_CERTIFICATE",
  CLIENT_CERTIFICATE: "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE",
  CLIENT_KEY: "OTEL_EXPORTER_OTLP_CLIENT_KEY",
} as const;
const OWN = {
  logs: {
    EXPORTER: "OTEL_LOGS_EXPORTER",
    ENDPOINT: "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    PROTOCOL: "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL",
    HEADERS: "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    TIMEOUT: "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT",
    COMPRESSION: "OTEL_EXPORTER_OTLP_LOGS_COMPRESSION",
    CERTIFICATE: "OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE",
    CLIENT_CERTIFICATE: "OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE",
    CLIENT_KEY: "OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY",
    DELAY: "OTEL_BLRP_SCHEDULE_DELAY",
    BATCH_TIMEOUT: "OTEL_BLRP_EXPORT_TIMEOUT",
    QUEUE: "OTEL_BLRP_MAX_QUEUE_SIZE",
    BATCH: "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE",
  },
  traces: {
    EXPORTER: "OTEL_TRACES_EXPORTER",
    ENDPOINT: "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    PROTOCOL: "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL",
    HEADERS: "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    TIMEOUT: "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    COMPRESSION: "OTEL_EXPORTER_OTLP_TRACES_COMPRESSION",
    CERTIFICATE: "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE",
    CLIENT_CERTIFICATE: "OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE",
    CLIENT_KEY: "OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY",
    DELAY: "OTEL_BSP_SCHEDULE_DELAY",
    BATCH_TIMEOUT: "OTEL_BSP_EXPORT_TIMEOUT",
    QUEUE: "OTEL_BSP_MAX_QUEUE_SIZE",
    BATCH: "OTEL_BSP_MAX_EXPORT_BATCH_SIZE",
  },
} as const;
const SAMPLERS = ["always_on", "always_off", "traceidratio"];
/** Characters of a header's name (RFC 9110 §5.6.2). */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** Null: nothing is exported. Throws {@link ConfigError}; its text never has the value of a header. */
export function otlpSettings(environment: Environment, version: string): OtlpSettings | null {
  if (environment.flag("OTEL_SDK_DISABLED", "true")) return null;
  const logs = signalSettings(environment, "logs");
  const traces = signalSettings(environment, "traces");
  if (logs === null && traces === null) return null;
  return { logs, traces, sampler: samplerSettings(environment), resource: resourceOf(environment, version) };
}

function signalSettings(environment: Environment, signal: OtlpSignal): OtlpSignalSettings | null {
  const url = endpointOf(environment, signal);
  const own = OWN[signal];
  if (url === null || oneOf(own.EXPORTER, environment.text(own.EXPORTER), ["otlp", "none"]) === "none") return null;
  oneOf(...valueOf(environment, signal, "PROTOCOL"), ["http/protobuf"]);
  const queueMax = atLeastOne(environment, own.QUEUE);
  return {
    url,
    headers: headersOf(environment, signal),
    isCompressed: oneOf(...valueOf(environment, signal, "COMPRESSION"), ["none", "gzip"]) === "gzip",
    certificate: fileOf(environment, signal, "CERTIFICATE"),
    client: clientOf(environment, signal),
    timeout: millis(...valueOf(environment, signal, "TIMEOUT")),
    batchTimeout: atLeastOne(environment, own.BATCH_TIMEOUT),
    delay: environment.u32(own.DELAY),
    queueMax,
    batchMax: Math.min(queueMax, atLeastOne(environment, own.BATCH)),
  };
}

function fileOf(
  environment: Environment,
  signal: OtlpSignal,
  part: "CERTIFICATE" | "CLIENT_CERTIFICATE" | "CLIENT_KEY",
): string | null {
  return environment.text(OWN[signal][part]) || environment.text(COMMON[part]) || null;
}

function clientOf(environment: Environment, signal: OtlpSignal): OtlpSignalSettings["client"] {
  const certificate = fileOf(environment, signal, "CLIENT_CERTIFICATE"),
    key = fileOf(environment, signal, "CLIENT_KEY");
  if (certificate !== null && key !== null) return { certificate, key };
  if (certificate === null && key === null) return null;
  const [set, missing] = certificate === null ? ["KEY", "CERTIFICATE"] : ["CERTIFICATE", "KEY"];
  throw invalidConfiguration(
    `OTEL_EXPORTER_OTLP_CLIENT_${set} is set for ${signal}, and OTEL_EXPORTER_OTLP_CLIENT_${missing} is not`,
  );
}

/** The variable that applies and its value: that of the signal, else the common one. */
function valueOf(
  environment: Environment,
  signal: OtlpSignal,
  part: "PROTOCOL" | "TIMEOUT" | "COMPRESSION",
): readonly [name: SettingName, value: string] {
  const own = OWN[signal][part], value = environment.text(own);
  if (value !== null && value !== "") return [own, value];
  return [COMMON[part], environment.text(COMMON[part])];
}

function endpointOf(environment: Environment, signal: OtlpSignal): string | null {
  const own = OWN[signal].ENDPOINT, value = environment.text(own);
  if (value !== null && value !== "") return urlOf(own, value, "");
  const common = environment.text("OTEL_EXPORTER_OTLP_ENDPOINT");
  return common === null || common === "" ? null : urlOf("OTEL_EXPORTER_OTLP_ENDPOINT", common, PATHS[signal]);
}

/** The value is not in the error, as it may have a password. */
function urlOf(name: SettingName, text: string, path: string): string {
  const url = URL.parse(text.trim());
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) {
    throw invalidConfiguration(`${name} must be a URL such as http://collector.observability:4318`);
  }
  if (path !== "") url.pathname = `${url.pathname.replace(/\/$/, "")}/${path}`;
  return url.href;
}

function oneOf(name: SettingName, text: string, words: readonly string[]): string {
  const value = text.trim().toLowerCase();
  if (words.includes(value)) return value;
  const cure = value === "grpc" ? "; a collector takes http/protobuf on port 4318" : "";
  throw invalidConfiguration(`${name}=${text} is not supported: it must be ${words.join(" or ")}${cure}`);
}

function millis(name: SettingName, text: string): Millis {
  const number = parseU32(text);
  if (number.ok && number.value > 0) return number.value;
  throw invalidConfiguration(`${name}=${text} must be a number of milliseconds from 1`);
}

function atLeastOne(
  environment: Environment,
  name: (typeof OWN)[OtlpSignal]["QUEUE" | "BATCH" | "BATCH_TIMEOUT"],
): number {
  const value = environment.u32(name);
  if (value < 1) throw invalidConfiguration(`${name} must be at least 1`);
  return value;
}

function headersOf(environment: Environment, signal: OtlpSignal): OtlpHeader[] {
  const headers = new Map<string, string>();
  for (const name of ["OTEL_EXPORTER_OTLP_HEADERS", OWN[signal].HEADERS] as const) {
    for (const [key, value] of pairsOf(name, environment.text(name) ?? "")) {
      if (!TOKEN.test(key) || /[^\t\x20-\x7e\x80-\xff]/.test(value)) {
        throw invalidConfiguration(`${name}: a header's name or value has characters that are not allowed`);
      }
      headers.set(key.toLowerCase(), value);
    }
  }
  return [...headers];
}

/** `a=1,b=2` with percent-encoded values (W3C Baggage). */
function pairsOf(name: SettingName, text: string): [string, string][] {
  return text.split(",").map((pair) => pair.trim()).filter((pair) => pair !== "").map((pair) => {
    const equals = pair.indexOf("=");
    const key = pair.slice(0, Math.max(equals, 0)).trim();
    if (key === "") throw invalidConfiguration(`${name} must be name=value, separated by commas`);
    return [key, decoded(name, pair.slice(equals + 1).trim())];
  });
}

function decoded(name: SettingName, text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidConfiguration(`${name}: a value is not percent-encoded correctly`);
  }
}

function samplerSettings(environment: Environment): SamplerSettings {
  const name = environment.text("OTEL_TRACES_SAMPLER").trim().toLowerCase();
  const followsParent = name.startsWith("parentbased_");
  const words = [...SAMPLERS, ...SAMPLERS.map((each) => `parentbased_${each}`)];
  switch (oneOf("OTEL_TRACES_SAMPLER", name || "parentbased_always_on", words).replace("parentbased_", "")) {
    case "always_off":
      return { ratio: 0, followsParent };
    case "traceidratio":
      return { ratio: ratioOf(environment), followsParent };
    default:
      return { ratio: 1, followsParent: followsParent || name === "" };
  }
}

function ratioOf(environment: Environment): number {
  const ratio = parseFloat64(environment.text("OTEL_TRACES_SAMPLER_ARG") || "1");
  if (ratio.ok && ratio.value >= 0 && ratio.value <= 1) return ratio.value;
  throw invalidConfiguration("OTEL_TRACES_SAMPLER_ARG must be from 0 to 1");
}

/** `OTEL_SERVICE_NAME` wins over `service.name` of `OTEL_RESOURCE_ATTRIBUTES`, which wins over what the proxy says. */
function resourceOf(environment: Environment, version: string): Record<string, string> {
  const own: [string, string | null][] = [
    ["service.name", environment.text("OTEL_SERVICE_NAME") || "ztunnel"],
    ["service.version", version],
    ["k8s.node.name", environment.text("NODE_NAME")],
    ["k8s.pod.name", environment.text("POD_NAME")],
    ["k8s.namespace.name", environment.text("POD_NAMESPACE")],
  ];
  const resource: Record<string, string> = {};
  for (const [key, value] of own) if (value !== null && value !== "") resource[key] = value;
  const name = environment.has("OTEL_SERVICE_NAME") && environment.text("OTEL_SERVICE_NAME") !== ""
    ? resource["service.name"]
    : undefined;
  Object.assign(
    resource,
    Object.fromEntries(pairsOf(
      "OTEL_RESOURCE_ATTRIBUTES",
      environment.text("OTEL_RESOURCE_ATTRIBUTES") ?? "",
    )),
  );
  return name === undefined ? resource : { ...resource, "service.name": name };
}
