/** Settings: threads, the end of the process, log, metrics. */
import type { Setting } from "./setting.ts";

export const PROCESS = {
  ZTUNNEL_WORKER_THREADS: {
    syntax: "text",
    fallback: null,
    values: "number, or `N%` of the CPUs",
    unset: "`concurrency` of the proxy configuration; else 1 up to 2 CPUs, then half of the CPUs, at most 4",
    text: "Threads that carry traffic. 0: as many as CPUs.",
  },
  ZTUNNEL_CPU_LIMIT: {
    syntax: "u64",
    fallback: null,
    unset: "as the system reports",
    text: "The number of CPUs from which the number of threads is derived.",
  },
  ZTUNNEL_RESOURCE_CPU_LIMIT: {
    syntax: "text",
    fallback: null,
    values: "`2`, `1.5` or `500m`",
    text: "CPU limit of the container. It takes the place of `ZTUNNEL_CPU_LIMIT`.",
  },
  ZTUNNEL_RESOURCE_CPU_REQUEST: {
    syntax: "text",
    fallback: null,
    values: "`2`, `1.5` or `500m`",
    text: "CPU request of the container. The number of CPUs is at least this, rounded up.",
  },
  CONNECTION_TERMINATION_DEADLINE: {
    syntax: "duration",
    fallback: null,
    unset: "derived from `TERMINATION_GRACE_PERIOD_SECONDS`",
    text: "How long open connections may go on after SIGTERM.",
  },
  TERMINATION_GRACE_PERIOD_SECONDS: {
    syntax: "u64",
    fallback: null,
    values: "seconds",
    unset: "connections may go on for 5 s",
    text: "Kubernetes' grace period of the pod. Connections end 5 s earlier (1 s earlier for a period of up to 10 s).",
  },
  RUST_LOG: {
    syntax: "text",
    fallback: "info",
    values: "`level` or `target=level`, separated by commas",
    text:
      "Log levels. The name is kept for compatibility. They can be changed at run time: `/logging` of the admin port.",
  },
  LOG_FORMAT: { syntax: "switch", fallback: null, values: "`json`", text: "Writes log lines as JSON." },
  ACCESS_LOG: {
    syntax: "words",
    fallback: "all",
    values: "`all`, `failures`, `off`",
    origin: "ours",
    text: "Which connections are logged. `failures`: those that failed, were refused or were cut. It can be changed " +
      "at run time: `/logging?access=…` of the admin port.",
  },
  ACCESS_LOG_SAMPLE: {
    syntax: "text",
    fallback: "1",
    values: "`0.1` or `10%`",
    origin: "ours",
    text:
      "The part of the successful connections that is logged where `ACCESS_LOG` is `all`; failures always are. It " +
      "can be changed at run time: `/logging?sample=…` of the admin port.",
  },
  ACCESS_LOG_FIELDS: {
    syntax: "words",
    fallback: "default",
    values: "`default`, `extended`",
    origin: "ours",
    text: "The fields of the access log. `extended`: also the id that joins the lines of both proxies, who ended the " +
      "connection, how and in which phase, the decision, TLS, and the time to each phase and to the first bytes. It can be changed at run time: " +
      "`/logging?fields=…` of the admin port.",
  },
  AUTHZ_POLICY_INFO_LOGGING: {
    syntax: "switch",
    fallback: null,
    values: "`true`",
    text: "Logs decisions of authorization policies at `info` instead of `debug`.",
  },
  METRICS_SERIES_EXPIRY: {
    syntax: "duration",
    fallback: "1h",
    origin: "ours",
    text: "Traffic series that have not changed for this long are removed. 0: never.",
  },
  METRICS_DERIVED_SERIES_MAX: {
    syntax: "u64",
    fallback: "10000",
    origin: "ours",
    text: "The most series, for each worker, whose labels come from the baggage of other networks' gateways.",
  },
  ISTIO_META_ISTIO_VERSION: {
    syntax: "text",
    fallback: "unknown",
    text: "Istio version that `ztunnel version`, the dump and the metric `istio_build` report.",
  },
  ZTUNNEL_DEBUGGABLE: {
    syntax: "bool",
    fallback: "false",
    origin: "ours",
    text: "Lets debuggers of the same user attach, and crashes write core files. Both expose private keys.",
  },
} as const satisfies Record<string, Setting>;
