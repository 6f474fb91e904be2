/**
 * All metric families of this program, in output order (`docs/spec/dataplane.md` 7.1, 7.2; `docs/spec/xds-state.md`
 * 2.12;
 * `docs/spec/inpod-dns.md` B5.12). Names, help texts and labels are those of the native proxy, for existing dashboards
 * and alerts. `ztunnel_event_loop_*` and its neighbours take the place of its `tokio_*` families.
 */

/** A metric family. */
export interface MetricFamily {
  /** `traffic`: a counter whose samples are the traffic series. */
  readonly kind: "counter" | "gauge" | "histogram" | "traffic";
  readonly help: string;
  /** In output order. */
  readonly labels: readonly string[];
  readonly unit: string | null;
  /** The Rust ztunnel does not have it. */
  readonly ours?: true;
  /** Histograms: upper bounds as written in the output, ascending, without `+Inf`. */
  readonly buckets: readonly string[];
}

const NOTHING = { labels: [], unit: null, buckets: [] } as const;

const counter = (help: string, ...labels: string[]) => ({ ...NOTHING, kind: "counter", help, labels } as const);
const gauge = (help: string, ...labels: string[]) => ({ ...NOTHING, kind: "gauge", help, labels } as const);
const ours = <F extends MetricFamily>(family: F) => ({ ...family, ours: true } as const);
const traffic = (help: string) => ({ ...NOTHING, kind: "traffic", help } as const);

const DNS = ["request_query_type", "request_protocol", "source_canonical_service", "source_canonical_revision"];
const SOURCE = [
  "source_workload",
  "source_canonical_service",
  "source_canonical_revision",
  "source_workload_namespace",
  "source_principal",
  "source_app",
  "source_version",
  "source_cluster",
];

/** The families by name, without the `_total` of counters. */
export const FAMILIES = {
  process_open_fds: gauge("Number of open file descriptors"),
  process_max_fds: gauge("Maximum number of file descriptors"),
  process_cpu_seconds: ours({ ...counter("Total user and system CPU time spent"), unit: "seconds" }),
  process_resident_memory_bytes: ours({ ...gauge("Resident memory size"), unit: "bytes" }),
  process_start_time_seconds: ours({ ...gauge("Start time of the process since the Unix epoch"), unit: "seconds" }),
  ztunnel_event_loop_turns: ours(counter("The total number of turns of a worker's event loop (unstable).", "thread")),
  ztunnel_event_loop_busy_seconds: ours({
    ...counter("The total time of the turns of a worker's event loop (unstable).", "thread"),
    unit: "seconds",
  }),
  ztunnel_event_loop_longest_turn_seconds: ours({
    ...gauge("The longest turn of a worker's event loop since the last scrape (unstable).", "thread"),
    unit: "seconds",
  }),
  ztunnel_handshake_queue_length: ours(
    gauge("The current number of TLS handshakes that wait for their turn (unstable).", "thread"),
  ),
  ztunnel_held_bytes: ours({
    ...gauge("The current number of received bytes that applications have not taken yet (unstable).", "thread"),
    unit: "bytes",
  }),
  ztunnel_heap_used_bytes: ours({ ...gauge("Memory in use in a thread's heap (unstable).", "thread"), unit: "bytes" }),
  ztunnel_heap_size_bytes: ours({ ...gauge("Size of a thread's heap (unstable).", "thread"), unit: "bytes" }),
  ztunnel_log_queue_lines: ours(
    gauge("The current number of log lines that are not written yet (unstable).", "thread"),
  ),
  istio_build: gauge("Istio component build info.", "component", "tag"),
  istio_xds_connection_terminations: counter(
    "The total number of completed connections to xds server (unstable).",
    "reason",
  ),
  istio_xds_message: counter("Total number of messages received (unstable).", "url"),
  istio_xds_message_bytes: { ...counter("Total number of bytes received (unstable).", "url"), unit: "bytes" },
  istio_xds_rejected_resources: ours(counter("Total number of resources that were rejected (unstable).", "url")),
  istio_connection_attempts_failed: ours(
    counter(
      "The total number of attempts to reach an endpoint that failed and were followed by another endpoint (unstable).",
    ),
  ),
  istio_tcp_connections_opened: traffic("The total number of TCP connections opened."),
  istio_tcp_connections_closed: traffic("The total number of TCP connections closed."),
  istio_tcp_received_bytes: traffic(
    "The size of total bytes received during request in case of a TCP connection.",
  ),
  istio_tcp_sent_bytes: traffic("The size of total bytes sent during response in case of a TCP connection."),
  istio_on_demand_dns: counter(
    "The total number of requests that used on-demand DNS (unstable).",
    ...SOURCE,
    "hostname",
  ),
  istio_tcp_connections_failed: traffic("The total number of TCP connections that failed to establish (unstable)."),
  istio_tcp_sockets_open: gauge("The current number of open TCP sockets (unstable).", "reporter"),
  istio_tcp_connections_half_closed: ours(gauge(
    "The current number of connections, and of streams of HBONE connections, of which one side has ended (unstable).",
    "reporter",
  )),
  istio_tcp_half_closed_timeouts: ours(counter(
    "The total number of half-closed connections that were closed as they moved no bytes (unstable).",
    "reporter",
  )),
  istio_crl_policy_rejections: counter(
    "The total number of connections rejected due to CRL certificate revocation (unstable).",
    "reporter",
  ),
  istio_crl_untracked_connections: counter(
    "The total number of connections not tracked for CRL enforcement (unstable).",
    "reporter",
  ),
  istio_certificates: ours(gauge("The current number of workload certificates by state (unstable).", "state")),
  istio_certificate_expiration_timestamp_seconds: ours({
    ...gauge("The time at which the first of the workload certificates expires, 0 without any (unstable)."),
    unit: "seconds",
  }),
  istio_certificate_authority_away_timestamp_seconds: ours({
    ...gauge("The time since which the certificate authority does not answer, 0 while it does (unstable)."),
    unit: "seconds",
  }),
  istio_certificates_none_available_timestamp_seconds: ours({
    ...gauge("The time since which none of the certificates needed is available, 0 while one is (unstable)."),
    unit: "seconds",
  }),
  istio_certificate_fetch_failures: ours(counter(
    "The total number of workload certificates that could not be fetched or renewed (unstable).",
  )),
  istio_policy_dry_run: ours(counter(
    "The total number of connections that an authorization policy on trial (dry-run) would have decided (unstable).",
    "policy",
    "result",
  )),
  istio_dns_requests: counter("Total number of DNS requests (unstable).", ...DNS),
  istio_dns_upstream_requests: counter("Total number of DNS requests forwarded to upstream (unstable).", ...DNS),
  istio_dns_upstream_failures: counter(
    "Total number of DNS requests that failed to forward upstream (unstable).",
    ...DNS,
  ),
  istio_dns_upstream_request_duration_seconds: {
    kind: "histogram",
    help: "Total time in seconds Istio takes to get DNS response from upstream (unstable).",
    labels: DNS,
    unit: "seconds",
    buckets: ["0.0005", "0.001", "0.01", "0.1", "1.0", "5.0"],
  },
  workload_manager_active_proxy_count: gauge("The total number current workloads with active proxies (unstable)."),
  workload_manager_pending_proxy_count: gauge("The total number current workloads with pending proxies (unstable)."),
  workload_manager_proxies_started: counter("The total number of proxies that were started (unstable)."),
  workload_manager_proxies_stopped: counter("The total number of proxies that were stopped (unstable)."),
  workload_manager_audits: ours(
    counter("The total number of audits of enrolled pods against what serves them (unstable)."),
  ),
  workload_manager_audit_differences: ours(
    gauge("The number of differences that the last audit of pods found (unstable)."),
  ),
  istio_held_bytes_limit_reached: ours(counter(
    "The total number of times that received bytes which applications had not taken reached their bound (unstable).",
  )),
  ztunnel_otlp_exported: ours(counter("The total number of records that were exported by OTLP (unstable).", "signal")),
  ztunnel_otlp_dropped: ours(counter(
    "The total number of records for OTLP that were lost: no room, no answer, or not taken (unstable).",
    "signal",
    "reason",
  )),
  istio_log_lines_dropped: ours(counter(
    "The total number of log lines that were lost as standard output took no more (unstable).",
  )),
} as const satisfies Record<string, MetricFamily>;

/** Name of a family. */
export type FamilyName = keyof typeof FAMILIES;

type NameOf<K extends MetricFamily["kind"]> = {
  [N in FamilyName]: (typeof FAMILIES)[N]["kind"] extends K ? N : never;
}[FamilyName];

/** Families of single numbers. */
export type CellName = NameOf<"counter" | "gauge">;
/** Families of histograms. */
export type HistogramName = NameOf<"histogram">;
/** Families whose samples are the traffic series. */
export type TrafficName = NameOf<"traffic">;
