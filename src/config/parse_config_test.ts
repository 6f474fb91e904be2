import { strict as assert } from "node:assert";
import type { Config } from "./config.ts";
import { ConfigError } from "./error.ts";
import { listenerPorts, serverPort } from "./own_ports.ts";
import { parseConfig } from "./parse_config.ts";

type Texts = Readonly<Record<string, string>>;

const LOOPBACK = "/proc/sys/net/ipv6/conf/lo/disable_ipv6";
const FILES: Texts = { "/etc/resolv.conf": "nameserver 10.0.0.10\n", [LOOPBACK]: "0\n" };
const MESH = "./etc/istio/config/mesh";

function parse(variables: Texts = {}, files: Texts = {}): Config {
  const all: Texts = { ...FILES, ...files };
  return parseConfig(variables, { read: (path) => all[path] ?? null, exists: (path) => path in all }, 4);
}

function refusal(variables: Texts, files: Texts = {}): string {
  try {
    parse(variables, files);
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.message;
  }
  throw new Error("no refusal");
}

const C1_MESH = `
defaultConfig:
  statsPort: 15888
  proxyAdminPort: 15099
  proxyMetadata:
    ISTIO_META_FOO: foo
    ISTIO_META_FOOBAR: foobar
`;
const C2_PROXY = JSON.stringify({
  discoveryAddress: "istiod-rev0.istio-system-2:15012",
  proxyAdminPort: 15999,
  proxyMetadata: { ISTIO_META_BAR: "bar", ISTIO_META_FOOBAR: "foobar-overwritten", NO_PREFIX: "no-prefix" },
});

Deno.test("config C1, xds X37: mesh file", () => {
  const config = parse({}, { [MESH]: C1_MESH });
  assert.equal(serverPort(config.listeners.stats), 15888);
  assert.equal(serverPort(config.listeners.admin), 15099);
  assert.equal(config.proxyMetadata["FOO"], "foo");
  assert.equal(config.proxyMetadata["FOOBAR"], "foobar");
  assert.equal(config.node.clusterId, "Kubernetes");
});

Deno.test("config C2 PROXY_CONFIG and ISTIO_META_ variables", () => {
  const config = parse({
    PROXY_CONFIG: C2_PROXY,
    ISTIO_META_INCLUDE_THIS: "foobar-env",
    NOT_INCLUDE: "x",
    ISTIO_META_CLUSTER_ID: "test-cluster",
  });
  assert.equal(serverPort(config.listeners.readiness), 15021);
  assert.equal(config.xds.address, "https://istiod-rev0.istio-system-2:15012");
  assert.deepEqual(config.proxyMetadata, {
    BAR: "bar",
    FOOBAR: "foobar-overwritten",
    NO_PREFIX: "no-prefix",
    INCLUDE_THIS: "foobar-env",
    CLUSTER_ID: "test-cluster",
  });
  assert.equal(config.node.clusterId, "test-cluster");
});

Deno.test("config C3, xds X39: both: the environment wins field by field", () => {
  const config = parse({ PROXY_CONFIG: C2_PROXY }, { [MESH]: C1_MESH });
  assert.equal(serverPort(config.listeners.stats), 15888);
  assert.equal(serverPort(config.listeners.admin), 15999);
  assert.equal(config.proxyMetadata["FOO"], "foo");
  assert.equal(config.proxyMetadata["FOOBAR"], "foobar-overwritten");
});

Deno.test("config C4, xds X40, identity A24 A25: headers", () => {
  const config = parse({ XDS_HEADER_HEADER_FOO: "foo", CA_HEADER_HEADER_BAZ: "baz" });
  assert.deepEqual(config.xds.headers, [["header_foo", "foo"]]);
  assert.deepEqual(config.ca.headers, [["header_baz", "baz"]]);
  assert.equal(refusal({ "XDS_HEADER_a b": "x" }), "failed to parse header key: XDS_HEADER_a b");
  assert.equal(refusal({ "CA_HEADER_x-bin": "x" }), "failed to parse header key: CA_HEADER_x-bin");
  const token = refusal({ XDS_HEADER_AUTHORIZATION: "Bearer abc\n" });
  assert.equal(token, "failed to parse header value of XDS_HEADER_AUTHORIZATION: no visible ASCII");
});

Deno.test("config C5 DNS_PROXY_ADDR", () => {
  const bad = refusal({ ISTIO_META_DNS_PROXY_ADDR: "not-an-address" });
  assert.equal(
    bad,
    "invalid configuration: failed to parse DNS_PROXY_ADDR: not-an-address (invalid socket address syntax)",
  );
  const at = (text: string) => parse({ ISTIO_META_DNS_PROXY_ADDR: text }).listeners.dns;
  assert.deepEqual(at("localhost:53"), { kind: "localhost", ipv6: true, port: 53 });
  assert.deepEqual(at("[::1]:53"), { kind: "address", address: { ip: "::1", port: 53 } });
});

Deno.test("config C6 PROXY_CONFIG={} (recommended: proxyMetadata may be missing)", () => {
  assert.deepEqual(parse({ PROXY_CONFIG: "{}" }).proxyMetadata, {});
});

Deno.test("config C7 empty PROXY_CONFIG and empty mesh file", () => {
  assert.equal(serverPort(parse({ PROXY_CONFIG: "" }, { [MESH]: "" }).listeners.stats), 15020);
});

Deno.test("config C8 bool", () => {
  assert.equal(
    refusal({ ENABLE_PROXY: "False" }),
    "invalid env var ENABLE_PROXY=False (provided string was not `true` or `false`)",
  );
});

Deno.test("config C9 XDS address", () => {
  assert.equal(parse({ XDS_ADDRESS: "istiod:15012" }).xds.address, "https://istiod:15012");
  assert.equal(parse({ XDS_ADDRESS: "" }).xds.address, null);
  assert.equal(parse().xds.address, "https://localhost:15012");
  assert.equal(parse({ KUBERNETES_SERVICE_HOST: "x" }).ca.address, "https://istiod.istio-system.svc:15012");
});

Deno.test("config C10, xds X50: on demand excludes the DNS proxy", () => {
  assert.equal(
    refusal({ XDS_ON_DEMAND: "true" }),
    "error parsing proxy config: DNS proxy does not currently support on-demand mode",
  );
  assert.ok(parse({ XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" }).xds.onDemand);
});

Deno.test("config C11 dedicated mode", () => {
  assert.equal(
    refusal({ PROXY_MODE: "dedicated", PROXY_WORKLOAD_INFO: "a/b" }),
    "invalid configuration: PROXY_WORKLOAD_INFO must match the format 'namespace/name/service-account' " +
      '(got ["a", "b"])',
  );
  assert.equal(
    refusal({ PROXY_MODE: "dedicated" }),
    "invalid configuration: PROXY_MODE=dedicated requires PROXY_WORKLOAD_INFO to be set",
  );
  assert.equal(
    refusal({ PROXY_MODE: "x" }),
    "invalid env var PROXY_MODE=x (PROXY_MODE must be one of dedicated, shared)",
  );
  const config = parse({ PROXY_MODE: "dedicated", PROXY_WORKLOAD_INFO: "ns/pod/sa/x" });
  assert.deepEqual(config.workload, { namespace: "ns", name: "pod", serviceAccount: "sa/x" });
  assert.equal(config.sockets.mark, null);
});

const GRACE: readonly (readonly [Texts, number])[] = [
  [{ TERMINATION_GRACE_PERIOD_SECONDS: "30" }, 25_000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: "11" }, 6_000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: "10" }, 9_000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: "2" }, 1_000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: "1" }, 1_000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: "0" }, 1_000],
  [{ TERMINATION_GRACE_PERIOD_SECONDS: "30", CONNECTION_TERMINATION_DEADLINE: "7s" }, 7_000],
  [{}, 5_000],
];
for (const [variables, deadline] of GRACE) {
  Deno.test(`config 9.1 grace period ${JSON.stringify(variables)}`, () => {
    assert.equal(parse(variables).drainDeadline, deadline);
  });
}

Deno.test("config 1.3 defaults", () => {
  const config = parse();
  assert.equal(config.mode, "shared");
  assert.deepEqual(config.listeners.outbound, { ip: "::", port: 15001 });
  assert.deepEqual(listenerPorts(config.listeners), [15008, 15001, 15006]);
  assert.deepEqual(config.listeners.admin, { kind: "localhost", ipv6: true, port: 15000 });
  assert.equal(config.sockets.mark, 1337);
  assert.equal(config.sockets.originalSource, null);
  assert.equal(config.sockets.userTimeout, null);
  assert.equal(config.token, null);
  assert.ok(Object.isFrozen(config) && Object.isFrozen(config.http2) && Object.isFrozen(config.listeners));
});

Deno.test("config 1.3 IPv4 only, SOCKS5, own ports", () => {
  const config = parse({
    IPV6_ENABLED: "false",
    UNSTABLE_ENABLE_SOCKS5: "true",
    OUTBOUND_PORT: "0",
    STATS_PORT: "25020",
    BIND_ADDRESS: "127.0.0.2",
  });
  assert.deepEqual(config.listeners.outbound, { ip: "127.0.0.2", port: 0 });
  assert.deepEqual(config.listeners.socks5, { ip: "127.0.0.1", port: 15080 });
  assert.deepEqual(listenerPorts(config.listeners), [15008, 15006, 15080]);
  assert.equal(serverPort(config.listeners.stats), 25020);
  assert.deepEqual(config.listeners.dns, { kind: "localhost", ipv6: false, port: 15053 });
  assert.equal(parse({ IPV6_ENABLED: "false" }).listeners.inbound.ip, "0.0.0.0");
});

Deno.test("config 1.3 loopback without IPv6", () => {
  assert.deepEqual(parse({}, { [LOOPBACK]: "1\n" }).listeners.admin, { kind: "localhost", ipv6: false, port: 15000 });
});

Deno.test("config 1.4 roots, token and static state", () => {
  const config = parse({ XDS_ROOT_CA: "-----BEGIN CERTIFICATE-----", CA_ROOT_CA: "SYSTEM", AUTH_TOKEN: "/t" }, {
    "/t": "secret",
  });
  assert.deepEqual(config.xds.roots, { kind: "pem", pem: "-----BEGIN CERTIFICATE-----" });
  assert.deepEqual(config.ca.roots, { kind: "system" });
  assert.deepEqual(config.token, { kind: "file", path: "/t" });
  assert.deepEqual(parse({ AUTH_TOKEN: "abc" }).token, { kind: "literal", token: "abc" });
  assert.deepEqual(parse().xds.roots, { kind: "file", path: "./var/run/secrets/istio/root-cert.pem" });
  assert.deepEqual(parse({ LOCAL_XDS: "{}" }).xds.local, { kind: "inline", yaml: "{}" });
  assert.equal(
    refusal({ LOCAL_XDS: "", LOCAL_XDS_PATH: "" }),
    "invalid configuration: only one of LOCAL_XDS_PATH or LOCAL_XDS may be set",
  );
});

Deno.test("config 1.4 own certificate authority", () => {
  const config = parse({ FAKE_CA: "true", LOCAL_CA_CERT: "c", LOCAL_CA_KEY: "k", CA_ADDRESS: "http://[" });
  assert.deepEqual(config.ca.localFiles, { certificate: "c", key: "k" });
  assert.equal(config.ca.address, null);
  assert.match(refusal({ LOCAL_CA_CERT: "c" }), /must be set together/);
});

Deno.test("config 1.5 resolver file is needed", () => {
  assert.throws(
    () => parseConfig({}, { read: () => null, exists: () => false }, 1),
    (error) => error instanceof ConfigError && error.exitCode === 101,
  );
});

for (const text of ["", "search example.com\n", "nameserver not-an-address\n"]) {
  Deno.test(`config 1.5, inpod B5.1: a resolver file of ${JSON.stringify(text)} is refused`, () => {
    const files = { read: (path: string) => path === "/etc/resolv.conf" ? text : null, exists: () => false };
    assert.throws(() => parseConfig({}, files, 1), {
      message: "failed to read /etc/resolv.conf: there is no nameserver line in it",
      exitCode: 101,
    });
  });
}

Deno.test("config 1.6 HTTP/2 limits", () => {
  assert.equal(
    refusal({ HTTP2_FRAME_SIZE: "1000" }),
    "invalid env var HTTP2_FRAME_SIZE=1000 (must be between 16384 and 16777215)",
  );
  assert.equal(parse({ POOL_MAX_STREAMS_PER_CONNECTION: "0" }).http2.maxStreamsPerConnection, 1);
  assert.equal(parse({ USER_TIMEOUT_ENABLED: "true" }).sockets.userTimeout, 1_800_000);
  assert.equal(parse({ CONNECT_TIMEOUT: "90s" }).sockets.connectTimeout, 90_000);
  assert.equal(refusal({ CONNECT_TIMEOUT: "0s" }), "invalid env var CONNECT_TIMEOUT=0s (must be longer than 0)");
});

Deno.test("config 1.10 JSON metadata", () => {
  const config = parse({ XDS_ADDRESS: "", ISTIO_METAJSON_LABELS: '{"a":1}', ISTIO_METAJSON_BAD: "{" });
  assert.deepEqual(config.xds.jsonMetadata, { LABELS: { a: 1 } });
  assert.deepEqual(config.warnings, ["failed to parse ISTIO_METAJSON_BAD={"]);
});

Deno.test("config 1.9 repeated prefixes", () => {
  const config = parse({ ISTIO_META_ISTIO_META_A: "1", PROXY_CONFIG: "proxyMetadata: {ISTIO_META_ISTIO_META_B: 2}" });
  assert.deepEqual(config.proxyMetadata, { A: "1", ISTIO_META_B: "2" });
  assert.match(
    refusal({ PROXY_CONFIG: 'statsPort: "1"' }),
    /^error parsing proxy config: failed parsing proxy config env: /,
  );
});

Deno.test("config 1.13 SPIRE", () => {
  const config = parse({ SPIRE_ENABLED: "true", SPIRE_TIMEOUT: "3s", XDS_ADDRESS: "unix:///run/xds.sock" });
  assert.equal(config.spire.adminSocket, "unix:///run/spire/sockets/admin.sock");
  assert.equal(config.spire.timeout, 3_000);
  assert.equal(config.xds.address, "unix:///run/xds.sock");
  assert.match(
    refusal({ SPIRE_ENABLED: "true", SPIRE_ADMIN_ENDPOINT_SOCKET: "tcp://1.2.3.4:5" }),
    /invalid endpoint socket path/,
  );
});

Deno.test("config 1.3 nothing to run", () => {
  assert.equal(
    refusal({ ENABLE_PROXY: "false", ISTIO_META_DNS_CAPTURE: "1" }),
    "error parsing proxy config: ztunnel run without any servers enabled",
  );
});

Deno.test("UNKNOWN_POLICIES: denied unless asked otherwise", () => {
  assert.equal(parse().unknownPolicies, "deny");
  assert.equal(parse({ UNKNOWN_POLICIES: "skip" }).unknownPolicies, "skip");
  assert.match(refusal({ UNKNOWN_POLICIES: "ignore" }), /UNKNOWN_POLICIES.*"?ignore"?.*it must be deny or skip/);
});

Deno.test("trust domain aliases: of the mesh file, or of the environment", () => {
  const files = { [MESH]: "trustDomainAliases: [old.example]\ndefaultConfig: {}\n" };
  assert.deepEqual(parse().node.trustDomainAliases, []);
  assert.deepEqual(parse({}, files).node.trustDomainAliases, ["old.example"]);
  const own = { TRUST_DOMAIN_ALIASES: "a.example, b.example," };
  assert.deepEqual(parse(own, files).node.trustDomainAliases, ["a.example", "b.example"]);
  assert.match(refusal({}, { [MESH]: "trustDomainAliases: x\n" }), /trustDomainAliases: invalid type, expected a list/);
});

Deno.test("config: FAKE_CA=true causes a warning at each start", () => {
  const [warning, ...more] = parse({ XDS_ADDRESS: "", FAKE_CA: "true" }).warnings;
  assert.match(warning!, /^FAKE_CA=true: certificates come from this process's own authority/);
  assert.deepEqual(more, []);
  assert.deepEqual(parse({ XDS_ADDRESS: "" }).warnings, []);
});

Deno.test("config: misspelt variables are one warning, a mesh without a source is another", () => {
  const warnings = parse({ XDS_ADRESS: "https://istiod:15012", LOG_FORMAT: "JSON" }).warnings;
  assert.deepEqual(warnings.map((text) => text.split(/[:,]/)[0]), [
    "environment variables without effect",
    "this is not a pod of a cluster",
  ]);
});
