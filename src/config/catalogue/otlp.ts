/** Settings: access logs and spans by OTLP. The names are those of the OpenTelemetry specification. */
import type { Setting } from "./setting.ts";

const ours = { origin: "ours" } as const;
const text = <F extends string | null>(fallback: F, words: string, more: Pick<Setting, "values" | "unset"> = {}) =>
  ({ syntax: "text", fallback, text: words, ...ours, ...more }) as const;
const millis = (fallback: string, words: string) =>
  ({ syntax: "u32", fallback, values: "ms", text: words, ...ours }) as const;
const count = (fallback: string, words: string) => ({ syntax: "u32", fallback, text: words, ...ours }) as const;
const ofSignal = (name: string, signal: string) => text(null, `\`${name}\`, for ${signal} alone.`);

export const OTLP = {
  OTEL_EXPORTER_OTLP_ENDPOINT: text(
    null,
    "A collector that takes OTLP by HTTP: access logs go to `/v1/logs` below it, spans to `/v1/traces`. Nothing is " +
      "exported where neither this nor the endpoint of a signal is set.",
    { values: "`http://host:4318` or `https://…`" },
  ),
  OTEL_EXPORTER_OTLP_LOGS_ENDPOINT: text(null, "Where access logs go. The URL is used as it is."),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: text(null, "Where spans go. The URL is used as it is."),
  OTEL_EXPORTER_OTLP_PROTOCOL: text("http/protobuf", "`http/protobuf` is the one that is supported.", {
    values: "`http/protobuf`",
  }),
  OTEL_EXPORTER_OTLP_LOGS_PROTOCOL: ofSignal("OTEL_EXPORTER_OTLP_PROTOCOL", "access logs"),
  OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: ofSignal("OTEL_EXPORTER_OTLP_PROTOCOL", "spans"),
  OTEL_EXPORTER_OTLP_HEADERS: text(null, "Headers of each request, such as a token. They are never logged.", {
    values: "`name=value`, separated by commas, values percent-encoded",
  }),
  OTEL_EXPORTER_OTLP_LOGS_HEADERS: ofSignal("OTEL_EXPORTER_OTLP_HEADERS", "access logs, added to those"),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: ofSignal("OTEL_EXPORTER_OTLP_HEADERS", "spans, added to those"),
  OTEL_EXPORTER_OTLP_TIMEOUT: millis("10000", "The longest time for one request."),
  OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: ofSignal("OTEL_EXPORTER_OTLP_TIMEOUT", "access logs"),
  OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: ofSignal("OTEL_EXPORTER_OTLP_TIMEOUT", "spans"),
  OTEL_EXPORTER_OTLP_COMPRESSION: text("none", "Compression of requests.", { values: "`none`, `gzip`" }),
  OTEL_EXPORTER_OTLP_LOGS_COMPRESSION: ofSignal("OTEL_EXPORTER_OTLP_COMPRESSION", "access logs"),
  OTEL_EXPORTER_OTLP_TRACES_COMPRESSION: ofSignal("OTEL_EXPORTER_OTLP_COMPRESSION", "spans"),
  OTEL_EXPORTER_OTLP_CERTIFICATE: text(
    null,
    "PEM file with the CA certificates that the collector's is checked against.",
    {
      unset: "the certificate authorities that the runtime ships",
    },
  ),
  OTEL_EXPORTER_OTLP_LOGS_CERTIFICATE: ofSignal("OTEL_EXPORTER_OTLP_CERTIFICATE", "access logs"),
  OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE: ofSignal("OTEL_EXPORTER_OTLP_CERTIFICATE", "spans"),
  OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: text(
    null,
    "PEM file with the certificate, and those between it and its authority, by which a collector knows this proxy.",
  ),
  OTEL_EXPORTER_OTLP_LOGS_CLIENT_CERTIFICATE: ofSignal("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "access logs"),
  OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: ofSignal("OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "spans"),
  OTEL_EXPORTER_OTLP_CLIENT_KEY: text(null, "PEM file with the private key of that certificate."),
  OTEL_EXPORTER_OTLP_LOGS_CLIENT_KEY: ofSignal("OTEL_EXPORTER_OTLP_CLIENT_KEY", "access logs"),
  OTEL_EXPORTER_OTLP_TRACES_CLIENT_KEY: ofSignal("OTEL_EXPORTER_OTLP_CLIENT_KEY", "spans"),
  OTEL_LOGS_EXPORTER: text("otlp", "`none`: no access logs are exported.", { values: "`otlp`, `none`" }),
  OTEL_TRACES_EXPORTER: text("otlp", "`none`: no spans are exported.", { values: "`otlp`, `none`" }),
  OTEL_SDK_DISABLED: {
    syntax: "switch",
    fallback: null,
    values: "`true`",
    text: "Nothing is exported by OTLP.",
    ...ours,
  },
  OTEL_SERVICE_NAME: text("ztunnel", "The attribute `service.name` of what is exported."),
  OTEL_RESOURCE_ATTRIBUTES: text(null, "Further attributes of the resource, such as `k8s.cluster.name`.", {
    values: "`name=value`, separated by commas, values percent-encoded",
  }),
  OTEL_TRACES_SAMPLER: text("parentbased_always_on", "Which connections have a span.", {
    values:
      "`always_on`, `always_off`, `traceidratio`, or one of them with `parentbased_`, which follows the caller's proxy",
  }),
  OTEL_TRACES_SAMPLER_ARG: text("1", "The part of the traces that `traceidratio` chooses.", { values: "0 to 1" }),
  OTEL_BLRP_SCHEDULE_DELAY: millis("1000", "For how long access logs are collected for one request."),
  OTEL_BLRP_EXPORT_TIMEOUT: millis("30000", "The longest time for a batch of access logs, with all its attempts."),
  OTEL_BLRP_MAX_QUEUE_SIZE: count("2048", "Access logs that may wait. Further ones are dropped and counted."),
  OTEL_BLRP_MAX_EXPORT_BATCH_SIZE: count("512", "Access logs of one request."),
  OTEL_BSP_SCHEDULE_DELAY: millis("5000", "For how long spans are collected for one request."),
  OTEL_BSP_EXPORT_TIMEOUT: millis("30000", "The longest time for a batch of spans, with all its attempts."),
  OTEL_BSP_MAX_QUEUE_SIZE: count("2048", "Spans that may wait. Further ones are dropped and counted."),
  OTEL_BSP_MAX_EXPORT_BATCH_SIZE: count("512", "Spans of one request."),
} as const satisfies Record<string, Setting>;
