/** Whatever stands in the environment and the files it names: a configuration, or a reason that names the mistake. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { configDump } from "./config_dump.ts";
import { ConfigError } from "./error.ts";
import { parseConfig } from "./parse_config.ts";

const NAMES = [
  ...["ADMIN_PORT", "ALT_CA_HOSTNAME", "ALT_XDS_HOSTNAME", "AUTHZ_POLICY_INFO_LOGGING", "AUTH_TOKEN", "BIND_ADDRESS"],
  ...["CA_ADDRESS", "CA_HEADER_X-Y", "CA_PROVIDER", "CA_ROOT_CA", "CLUSTER_DOMAIN", "CLUSTER_ID", "COMPLIANCE_POLICY"],
  ...[
    "CONNECTION_TERMINATION_DEADLINE",
    "CONTAINER_RUNTIME_SOCK_PATH",
    "CRL_PATH",
    "CONNECT_TIMEOUT",
    "HELD_BYTES_MAX",
    "METRICS_DERIVED_SERIES_MAX",
    "METRICS_SERIES_EXPIRY",
    "DNS_PROXY_ADDR",
    "ENABLE_ORIG_SRC",
  ],
  ...["ENABLE_PROXY", "ENABLE_RESPONSE_BAGGAGE", "FAKE_CA", "HTTP2_CONNECTION_WINDOW_SIZE", "HTTP2_FRAME_SIZE"],
  ...["HTTP2_STREAM_WINDOW_SIZE", "INBOUND_PLAINTEXT_PORT", "INBOUND_PORT", "INPOD_PORT_REUSE", "INPOD_UDS"],
  ...["INSTANCE_IP", "IPV6_ENABLED", "ISTIO_METAJSON_X", "ISTIO_META_X", "ISTIO_META_DNS_CAPTURE", "KEEPALIVE_ENABLED"],
  ...["KEEPALIVE_INTERVAL", "KEEPALIVE_RETRIES", "KEEPALIVE_TIME", "KUBERNETES_SERVICE_HOST", "LOCALHOST_APP_TUNNEL"],
  ...["LOCAL_XDS", "LOCAL_XDS_PATH", "LOG_FORMAT", "NETWORK", "NODE_NAME", "OUTBOUND_PORT", "PACKET_MARK", "POD_NAME"],
  ...["POD_NAMESPACE", "POOL_MAX_STREAMS_PER_CONNECTION", "POOL_UNUSED_RELEASE_TIMEOUT", "PREFERED_SERVICE_NAMESPACE"],
  ...[
    "PROXY_CONFIG",
    "PROXY_MODE",
    "PROXY_WORKLOAD_INFO",
    "READINESS_PORT",
    "RUST_LOG",
    "SECRET_TTL",
    "SERVICE_ACCOUNT",
  ],
  ...[
    "SOCKS5_PORT",
    "SPIFFE_BROKER_INSECURE",
    "SPIFFE_BROKER_SERVER_SPIFFE_ID",
    "SPIFFE_BROKER_SOCKET",
    "SPIFFE_BROKER_TIMEOUT",
  ],
  ...["SPIFFE_BROKER_WORKLOAD_API_SOCKET", "SPIRE_ADMIN_ENDPOINT_SOCKET", "SPIRE_ATTESTATION", "SPIRE_CONCURRENCY"],
  ...[
    "SPIRE_ENABLED",
    "SPIRE_TIMEOUT",
    "STATS_PORT",
    "TERMINATION_GRACE_PERIOD_SECONDS",
    "TLS12_ENABLED",
    "TLS_LIBRARY",
  ],
  ...["TRUST_DOMAIN", "TRUST_DOMAIN_ALIASES", "UNKNOWN_POLICIES", "UNSTABLE_ENABLE_SOCKS5", "USER_TIMEOUT_ENABLED"],
  ...["USE_SPIRE", "XDS_ADDRESS", "XDS_HEADER_X-Y", "XDS_ON_DEMAND", "XDS_ROOT_CA", "ZTUNNEL_CPU_LIMIT"],
  ...["ZTUNNEL_DEBUGGABLE", "ZTUNNEL_WORKER_THREADS"],
];
const VALUES = [
  ...["", " ", "0", "1", "-1", "65535", "65536", "4294967296", "18446744073709551616", "1e3", "0x10", "٣", "NaN"],
  ...["true", "false", "TRUE", "on", "10s", "1h1m1s", "-5s", "9999999999h", "1.5s", "dedicated", "shared", "json"],
  ...[
    "127.0.0.1:80",
    "[::1]:0",
    "::1",
    "0.0.0.0",
    "localhost",
    "a/b/c",
    "a/b",
    "//",
    "https://istiod:15012",
    "http://:1",
  ],
  ...["unix:///x/y.sock", "unix:x", "/x/y.sock", "cluster.local", "a,b", ",", "spiffe://td/ns/a/sa/b", "spiffe_broker"],
  ...["defaultConfig: {}", "{", "[]", "null", "a: &a [*a]", "concurrency: x", "statsPort: 99999999999", "deny", "skip"],
  ...["pqc", "fips-140-2", "pid", "selectors", "info,a=b=c", "50%", "500m", "\u0000", "\ud800", "x".repeat(5000)],
];
const value = fc.oneof(fc.constantFrom(...VALUES), fc.string({ unit: "binary", maxLength: 12 }));
const environments = fc.dictionary(fc.constantFrom(...NAMES), value, { maxKeys: 8 });
const RESOLV = [
  "nameserver 10.0.0.10\n",
  "nameserver\nnameserver x\nsearch",
  "options ndots:99 timeout:-1\n",
  "\0",
  "",
];

Deno.test("config: any environment gives a configuration or an error with a reason", () => {
  fc.assert(
    fc.property(environments, fc.constantFrom(...RESOLV), value, fc.nat(300), (variables, resolv, text, cpus) => {
      const files = {
        read: (path: string) => path === "/etc/resolv.conf" ? resolv : path.startsWith("/proc") ? "0\n" : text,
        exists: () => text.length > 3,
      };
      try {
        JSON.stringify(configDump(parseConfig(variables, files, 1 + cpus)));
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        assert.ok(error.message.length > 10 && [1, 101].includes(error.exitCode));
      }
    }),
    { numRuns: 3000 },
  );
});
