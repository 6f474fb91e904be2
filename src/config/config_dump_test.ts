import { strict as assert } from "node:assert";
import fc from "fast-check";
import { parse } from "yaml";
import { configDump, startupDump } from "./config_dump.ts";
import { type DumpValue, Tagged, toJsonValue, toYaml } from "./dump_value.ts";
import { parseConfig } from "./parse_config.ts";
import { versionInfo, versionText } from "./version.ts";

const FILES: Readonly<Record<string, string>> = {
  "/etc/resolv.conf": "nameserver 10.255.255.53\n",
  "/proc/sys/net/ipv6/conf/lo/disable_ipv6": "0\n",
  "run/root-cert.pem": "",
};
const ACCESS = { read: (path: string) => FILES[path] ?? null, exists: (path: string) => path in FILES };
const VARIABLES = {
  NODE_NAME: "node1",
  ISTIO_META_CLUSTER_ID: "Kubernetes",
  XDS_ROOT_CA: "run/root-cert.pem",
  CA_ROOT_CA: "run/root-cert.pem",
  INPOD_UDS: "run/z.sock",
  ZTUNNEL_WORKER_THREADS: "2",
  POD_NAME: "ztunnel-node1",
  POD_NAMESPACE: "istio-system",
  SERVICE_ACCOUNT: "ztunnel",
};

/** As the Rust ztunnel wrote it, with shorter paths; lists below a tag are indented here. */
const RECORDED = `running with config: proxy: true
dnsProxy: true
windowSize: 4194304
connectionWindowSize: 16777216
frameSize: 1048576
poolMaxStreamsPerConn: 100
poolUnusedReleaseTimeout:
  secs: 300
  nanos: 0
socks5Addr: null
adminAddr: !Localhost
  - true
  - 15000
statsAddr: !SocketAddr '[::]:15020'
readinessAddr: !SocketAddr '[::]:15021'
inboundAddr: '[::]:15008'
inboundPlaintextAddr: '[::]:15006'
outboundAddr: '[::]:15001'
dnsProxyAddr: !Localhost
  - true
  - 15053
illegalPorts:
- 15008
- 15001
- 15006
network: ''
localNode: node1
proxyMode: Shared
proxyWorkloadInformation: null
clusterId: Kubernetes
clusterDomain: cluster.local
caAddress: https://localhost:15012
caRootCert: !File run/root-cert.pem
altCaHostname: null
xdsAddress: https://localhost:15012
xdsRootCert: !File run/root-cert.pem
altXdsHostname: null
preferedServiceNamespace: null
secretTtl:
  secs: 86400
  nanos: 0
xdsOnDemand: false
fakeCa: false
fakeSelfInbound: false
selfTerminationDeadline:
  secs: 5
  nanos: 0
proxyMetadata:
  CLUSTER_ID: Kubernetes
numWorkerThreads: 2
requireOriginalSource: null
proxyArgs: proxy ztunnel
dnsResolverCfg:
  domain: null
  search: []
  name_servers:
  - ip: 10.255.255.53
    trust_negative_responses: true
    connections:
    - port: 53
      protocol:
        type: udp
      bind_addr: null
    - port: 53
      protocol:
        type: tcp
      bind_addr: null
dnsResolverOpts:
  ndots: 1
  timeout: 5
  attempts: 2
  edns0: false
  ip_strategy: Ipv4AndIpv6
  cache_size: 4096
  use_hosts_file: Auto
  positive_min_ttl: null
  negative_min_ttl: null
  positive_max_ttl: null
  negative_max_ttl: null
  num_concurrent_reqs: 2
  max_active_requests: 32
  preserve_intermediates: true
  try_tcp_on_error: false
  server_ordering_strategy: QueryStatistics
  recursion_desired: true
  avoid_local_udp_ports: []
  os_port_selection: false
  case_randomization: false
  trust_anchor: null
  allow_answers: []
  deny_answers: []
  edns_payload_len: 1232
inpodUds: run/z.sock
inpodPortReuse: true
packetMark: 1337
socketConfig:
  keepaliveTime:
    secs: 180
    nanos: 0
  keepaliveInterval:
    secs: 180
    nanos: 0
  keepaliveRetries: 9
  keepaliveEnabled: true
  userTimeoutEnabled: false
xdsHeaders: []
caHeaders: []
localhostAppTunnel: true
ztunnelIdentity: spiffe://cluster.local/ns/istio-system/sa/ztunnel
ztunnelWorkload:
  name: ztunnel-node1
  namespace: istio-system
  serviceAccount: ztunnel
ipv6Enabled: true
crlPath: null
enableEnhancedBaggage: true
`;

Deno.test("config 7.2 start-up dump, as recorded", () => {
  const config = parseConfig(VARIABLES, ACCESS, 2, ["proxy", "ztunnel"]);
  assert.deepEqual(startupDump(config).split("\n"), RECORDED.split("\n"));
});

Deno.test("config 4.4 values of the JSON dump", () => {
  const config = parseConfig({ ...VARIABLES, XDS_HEADER_A: "b", CA_ROOT_CA: "SYSTEM" }, ACCESS, 2);
  const dump = toJsonValue(configDump(config)) as Record<string, unknown>;
  assert.deepEqual(dump["adminAddr"], { Localhost: [true, 15000] });
  assert.deepEqual(dump["statsAddr"], { SocketAddr: "[::]:15020" });
  assert.deepEqual(dump["xdsHeaders"], [["a", "b"]]);
  assert.deepEqual(dump["xdsRootCert"], { File: "run/root-cert.pem" });
  assert.equal(dump["caRootCert"], "Default");
  assert.deepEqual(dump["poolUnusedReleaseTimeout"], { secs: 300, nanos: 0 });
});

Deno.test("config 1.13 SPIRE settings are dumped where SPIRE is used", () => {
  const names = (variables: Record<string, string>) => Object.keys(configDump(parseConfig(variables, ACCESS, 2)));
  assert.ok(names({ SPIRE_ENABLED: "true" }).includes("spireTimeout"));
  assert.ok(!names({}).includes("spireTimeout"));
  const broker = { CA_PROVIDER: "spiffe_broker", SPIFFE_BROKER_SOCKET: "/b", SPIFFE_BROKER_WORKLOAD_API_SOCKET: "/w" };
  assert.ok(names(broker).includes("spiffeBrokerAttestation") && !names(broker).includes("spireTimeout"));
});

Deno.test("config 4.4 no token and no static state in the dump", () => {
  const text = startupDump(parseConfig({ AUTH_TOKEN: "s3cret", LOCAL_XDS: "workloads: [] # s3cret" }, ACCESS, 2));
  assert.ok(!text.includes("s3cret"));
});

const value = fc.letrec<{ value: DumpValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.string({ unit: "binary" }),
    fc.constantFrom(
      "",
      "true",
      "1e3",
      "- a",
      "a: b",
      "a #b",
      "null",
      "0x1",
      "'",
      "a:",
      " a",
      "~",
      "é",
      "!x",
      "[",
      "\n",
    ),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 3 }),
  ),
})).value;

Deno.test("dump: the YAML says what the JSON says", () => {
  fc.assert(fc.property(fc.dictionary(fc.string(), value, { noNullPrototype: true }), (map) => {
    assert.deepEqual(
      JSON.parse(JSON.stringify(parse(toYaml(map), { logLevel: "silent" }))),
      JSON.parse(JSON.stringify(toJsonValue(map))),
    );
  }));
});

Deno.test("dump: tags in lists", () => {
  assert.equal(toYaml({ a: [new Tagged("B", "c")] }), "a:\n- !B c\n");
});

Deno.test("config 1.14 version", () => {
  const info = versionInfo(
    { version: "1.2", gitRevision: "abc", profile: "release", status: "Clean", tls: "aws-lc" },
    "deno 2.9.6",
    "1.31.0",
  );
  assert.equal(
    versionText(info),
    'version.BuildInfo{Version:"1.2", GitRevision:"abc", RustVersion:"deno 2.9.6", BuildProfile:"release", ' +
      'BuildStatus:"Clean", IstioVersion:"1.31.0", CryptoProvider:"tls-aws-lc"}',
  );
});
