/** Settings: ports, sockets, HTTP/2, DNS. */
import type { Setting } from "./setting.ts";

const ZERO = " 0 lets the kernel choose; the log line `listener established` has the port.";

export const PORTS = {
  INBOUND_PORT: { syntax: "u16", fallback: "15008", origin: "ours", text: `HBONE from other proxies.${ZERO}` },
  OUTBOUND_PORT: {
    syntax: "u16",
    fallback: "15001",
    origin: "ours",
    text: `Connections that leave pods, redirected by the CNI agent.${ZERO}`,
  },
  INBOUND_PLAINTEXT_PORT: {
    syntax: "u16",
    fallback: "15006",
    origin: "ours",
    text: `Connections to pods that come without HBONE.${ZERO}`,
  },
  SOCKS5_PORT: {
    syntax: "u16",
    fallback: "15080",
    origin: "ours",
    text: `SOCKS5, see \`UNSTABLE_ENABLE_SOCKS5\`.${ZERO}`,
  },
  ADMIN_PORT: {
    syntax: "u16",
    fallback: null,
    unset: "`proxyAdminPort` of the proxy configuration, else 15000",
    origin: "ours",
    text: "Admin server, on loopback only.",
  },
  STATS_PORT: {
    syntax: "u16",
    fallback: null,
    unset: "`statsPort` of the proxy configuration, else 15020",
    origin: "ours",
    text: "Metrics.",
  },
  READINESS_PORT: { syntax: "u16", fallback: "15021", origin: "ours", text: "Readiness." },
} as const satisfies Record<string, Setting>;

export const SOCKETS = {
  IPV6_ENABLED: {
    syntax: "bool",
    fallback: "true",
    text: "`false` listens on IPv4 only, and answers and resolves names without AAAA records.",
  },
  BIND_ADDRESS: {
    syntax: "text",
    fallback: null,
    values: "IP address",
    unset: "all addresses",
    origin: "ours",
    text: "The address that all listeners but those on loopback are bound to.",
  },
  UNSTABLE_ENABLE_SOCKS5: { syntax: "bool", fallback: "false", text: "Opens a SOCKS5 listener on 127.0.0.1." },
  PACKET_MARK: {
    syntax: "u32",
    fallback: null,
    unset: "1337 in shared mode, none in dedicated mode",
    text: "Firewall mark (SO_MARK) of the proxy's packets, by which the redirection rules recognise them. 0: none.",
  },
  ENABLE_ORIG_SRC: {
    syntax: "bool",
    fallback: null,
    unset: "where the kernel allows it",
    text:
      "Connects to applications from the client's address (IP_TRANSPARENT). With `true` the start fails where that is " +
      "not possible.",
  },
  KEEPALIVE_ENABLED: { syntax: "bool", fallback: "true", text: "TCP keepalive." },
  KEEPALIVE_TIME: { syntax: "duration", fallback: "3m", text: "Idle time before the first keepalive probe." },
  KEEPALIVE_INTERVAL: { syntax: "duration", fallback: "3m", text: "Time between keepalive probes." },
  KEEPALIVE_RETRIES: { syntax: "u32", fallback: "9", text: "Unanswered probes after which a connection is closed." },
  USER_TIMEOUT_ENABLED: {
    syntax: "bool",
    fallback: "false",
    text: "Also closes connections whose sent bytes are not acknowledged for as long as keepalive would take " +
      "(TCP_USER_TIMEOUT).",
  },
  CONNECT_TIMEOUT: {
    syntax: "duration",
    fallback: "30s",
    origin: "ours",
    since: "1.1.0",
    text: "How long a new connection of a pod may wait for its destination to answer. While nothing answers, a fresh " +
      "attempt begins every 5 s, so a connection that begins during a short outage succeeds when that is over.",
  },
  HALF_CLOSED_TIMEOUT: {
    syntax: "duration",
    fallback: "1h",
    origin: "ours",
    since: "1.1.0",
    text:
      "Resets connections of which one side has ended and whose other side has moved no bytes for this time, at the " +
      "latest half as much later. 0: never.",
  },
} as const satisfies Record<string, Setting>;

export const HTTP2 = {
  HTTP2_STREAM_WINDOW_SIZE: {
    syntax: "u32",
    fallback: "4194304",
    values: "bytes, at most 2147483647",
    text: "Flow-control window of each HBONE stream.",
  },
  HTTP2_CONNECTION_WINDOW_SIZE: {
    syntax: "u32",
    fallback: "16777216",
    values: "bytes, at most 2147483647",
    text: "Flow-control window of each HBONE connection.",
  },
  HTTP2_FRAME_SIZE: {
    syntax: "u32",
    fallback: "1048576",
    values: "bytes from 16384 to 16777215",
    text: "The largest frame that a peer may send.",
  },
  HELD_BYTES_MAX: {
    syntax: "u64",
    fallback: null,
    values: "bytes",
    unset: "an eighth of the memory limit, divided by the number of workers; at least 32 MiB",
    origin: "ours",
    text:
      "The most received bytes that applications have not read, for all HBONE connections of a worker. Beyond it, peers " +
      "that hold more than an equal share may not send until bytes are read. At twice as much they are disconnected.",
  },
  POOL_MAX_STREAMS_PER_CONNECTION: {
    syntax: "u16",
    fallback: "100",
    text: "Streams on one pooled HBONE connection, before another one is opened.",
  },
  POOL_UNUSED_RELEASE_TIMEOUT: {
    syntax: "duration",
    fallback: "5m",
    text: "How long a pooled HBONE connection without streams stays open.",
  },
} as const satisfies Record<string, Setting>;

/** Keys of the proxy metadata: they may also come from `proxyMetadata` of the proxy configuration. */
export const METADATA = {
  ISTIO_META_DNS_CAPTURE: {
    syntax: "text",
    fallback: "true",
    values: "`true`; anything else is off",
    text: "Serves DNS for pods.",
  },
  ISTIO_META_DNS_PROXY_ADDR: {
    syntax: "text",
    fallback: "localhost:15053",
    values: "`localhost:port` or `ip:port`",
    text: "Where DNS is served. `localhost` means 127.0.0.1, and ::1 where the pod has IPv6.",
  },
} as const satisfies Record<string, Setting>;
