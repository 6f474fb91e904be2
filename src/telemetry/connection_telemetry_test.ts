import { strict as assert } from "node:assert";
import { type AccessLines, ALL_LINES } from "../config/access_lines.ts";
import { parseIp, parseSocketAddress, type SocketAddress } from "../net/address.ts";
import type { ConnectionEnding, ConnectionFacts } from "./connection_ending.ts";
import { type ConnectionStart, ConnectionTelemetry } from "./connection_telemetry.ts";
import { FlowLog } from "./flow_log.ts";
import { testLog } from "./testkit/log.ts";
import { flagged, TrafficMetrics } from "./traffic_metrics.ts";
import type { TrafficWorkload } from "./traffic_peer.ts";

const FACTS: ConnectionFacts = {
  id: "0af7651916cd43dd8448eb211c80319c",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  continuesTrace: false,
  tls: { version: "TLSv1.3", group: "X25519MLKEM768" },
  carrier: 7,
  attempt: 2,
  times: { resolved: 0, authorized: null, connected: 1, handshaken: 3, answered: 4 },
  original: { ip: parseIp("10.2.0.10")!, port: 80 },
  decision: "abcdefghijkl.1",
  startedAt: 100,
  dryRuns: [],
};
const ENDING: ConnectionEnding = { by: "server", how: "fin", phase: "half-closed" };

const at = (text: string): SocketAddress => {
  const address = parseSocketAddress(text);
  assert.ok(address);
  return address;
};

function workload(
  name: string,
  owner: string,
  app: string,
  revision: string,
  account: string,
  zone = "z1",
): TrafficWorkload {
  return {
    name,
    namespace: "app",
    trustDomain: "cluster.local",
    serviceAccount: account,
    workloadName: owner,
    canonicalName: app,
    canonicalRevision: revision,
    clusterId: "Kubernetes",
    locality: { region: "r1", zone },
  };
}

const CLIENT = workload("client-1", "client-1", "client", "latest", "client");
const SERVER = workload("server-1", "server-6d4cf56db6", "server", "v1", "server");
const SERVICE = { hostname: "server.app.svc.cluster.local", namespace: "app", name: "server" };
const CLIENT_ID = { identity: "spiffe://cluster.local/ns/app/sa/client" };

const OUTBOUND: ConnectionStart = {
  reporter: "source",
  source: CLIENT,
  derivedSource: CLIENT_ID,
  destination: SERVER,
  derivedDestination: null,
  service: SERVICE,
  mutualTls: true,
  sourceAddress: at("10.9.0.2:53176"),
  destinationAddress: at("10.9.0.3:15008"),
  hboneTarget: "10.9.0.3:8080",
};
const INBOUND: ConnectionStart = { ...OUTBOUND, reporter: "destination", sourceAddress: at("10.9.0.2:45896") };
const PLAIN: ConnectionStart = {
  ...OUTBOUND,
  derivedSource: null,
  destination: null,
  service: null,
  mutualTls: false,
  destinationAddress: at("10.9.9.9:8080"),
  hboneTarget: null,
};

function world(format: "plain" | "json" = "plain", filter = "info", access = ALL_LINES, random = () => 0) {
  const { log, lines } = testLog({ format, filter });
  const metrics = new TrafficMetrics();
  const flows = new FlowLog(100, () => 0), clock = { now: () => 1000 };
  const telemetry = new ConnectionTelemetry({ log, metrics, lines: access, flows, random, clock });
  return { telemetry, metrics, lines, flows };
}

/** Lines that the native proxy wrote. */
const OUTBOUND_LINE = 'src.addr=10.9.0.2:53176 src.workload="client-1" src.namespace="app" ' +
  'src.identity="spiffe://cluster.local/ns/app/sa/client" src.cluster="Kubernetes" dst.addr=10.9.0.3:15008 ' +
  'dst.hbone_addr=10.9.0.3:8080 dst.service="server.app.svc.cluster.local" dst.workload="server-1" ' +
  'dst.namespace="app" dst.identity="spiffe://cluster.local/ns/app/sa/server" dst.cluster="Kubernetes" ' +
  'direction="outbound" bytes_sent=74 bytes_recv=146 duration="1ms"';
const INBOUND_LINE = OUTBOUND_LINE.replace("53176", "45896").replace("outbound", "inbound")
  .replace("bytes_sent=74 bytes_recv=146", "bytes_sent=146 bytes_recv=74");

Deno.test("dataplane 8.2 outbound and inbound lines, as recorded", () => {
  const { telemetry, lines } = world();
  for (const start of [OUTBOUND, INBOUND]) {
    const record = telemetry.open(start, 100, FACTS);
    record.addReceived(74);
    record.addSent(146);
    record.finish(101.9, ENDING);
  }
  assert.deepEqual(lines(), [
    `1970-01-01T00:00:00.000000Z\tinfo\taccess\tconnection complete\t${OUTBOUND_LINE}`,
    `1970-01-01T00:00:00.000000Z\tinfo\taccess\tconnection complete\t${INBOUND_LINE}`,
  ]);
});

Deno.test("dataplane 8.2 failed plain connection, as recorded", () => {
  const { telemetry, lines } = world();
  telemetry.open({ ...PLAIN, sourceAddress: at("10.9.0.2:39486") }, 0, FACTS)
    .finish(3077.9, ENDING, { message: "io error: No route to host (os error 113)", flag: "CONNECT" });
  assert.deepEqual(lines(), [
    '1970-01-01T00:00:00.000000Z\terror\taccess\tconnection complete\tsrc.addr=10.9.0.2:39486 src.workload="client-1" ' +
    'src.namespace="app" src.cluster="Kubernetes" dst.addr=10.9.9.9:8080 direction="outbound" bytes_sent=0 ' +
    'bytes_recv=0 duration="3077ms" error="io error: No route to host (os error 113)"',
  ]);
});

Deno.test("dataplane 8.2 JSON line, as recorded", () => {
  const { telemetry, lines } = world("json");
  telemetry.open(OUTBOUND, 0, FACTS).finish(1, ENDING, { message: 'http status: 401 "Unauthorized"', flag: "CONNECT" });
  assert.deepEqual(lines(), [
    '{"level":"error","time":"1970-01-01T00:00:00.000000Z","scope":"access","message":"connection complete",' +
    '"src.addr":"10.9.0.2:53176","src.workload":"client-1","src.namespace":"app",' +
    '"src.identity":"spiffe://cluster.local/ns/app/sa/client","src.cluster":"Kubernetes","dst.addr":"10.9.0.3:15008",' +
    '"dst.hbone_addr":"10.9.0.3:8080","dst.service":"server.app.svc.cluster.local","dst.workload":"server-1",' +
    '"dst.namespace":"app","dst.identity":"spiffe://cluster.local/ns/app/sa/server","dst.cluster":"Kubernetes",' +
    '"direction":"outbound","bytes_sent":0,"bytes_recv":0,"duration":"1ms",' +
    '"error":"http status: 401 \\"Unauthorized\\""}',
  ]);
});

Deno.test("dataplane 8.2 an authority cannot end its field or its line", () => {
  const { telemetry, lines } = world();
  telemetry.open({ ...OUTBOUND, hboneTarget: "a\nb dst.workload=x:80" }, 0, FACTS).finish(1, ENDING);
  assert.equal(lines().length, 1);
  assert.match(lines()[0] ?? "", / dst\.hbone_addr="a\\nb dst\.workload=x:80" dst\.service=/);
});

Deno.test("dataplane 8.3 opened is logged at debug", () => {
  const { telemetry, lines } = world("plain", "debug");
  telemetry.open(OUTBOUND, 0, FACTS);
  const expected = OUTBOUND_LINE.replace(/ bytes_sent.*/, "");
  assert.deepEqual(lines(), [`1970-01-01T00:00:00.000000Z\tdebug\taccess\tconnection opened\t${expected}`]);
});

Deno.test("dataplane 8.4 early deny, as recorded", () => {
  const { telemetry, metrics, lines } = world();
  telemetry.refuse({
    direction: "outbound",
    source: at("10.9.0.2:41778"),
    destination: at("10.96.0.10:82"),
    error: "no healthy upstream: 10.96.0.10:82",
    facts: FACTS,
    ending: ENDING,
  }, 0);
  assert.deepEqual(lines(), [
    "1970-01-01T00:00:00.000000Z\twarn\taccess\tconnection failed\tsrc.addr=10.9.0.2:41778 dst.addr=10.96.0.10:82 " +
    'direction="outbound" error="no healthy upstream: 10.96.0.10:82"',
  ]);
  assert.equal(metrics.snapshot().length, 0);
});

Deno.test("dataplane 7.5 counters after success, failure and drain", () => {
  const { telemetry, metrics, lines } = world();
  const success = telemetry.open(OUTBOUND, 0, FACTS);
  success.addReceived(11);
  success.addSent(22);
  success.finish(5, ENDING);
  telemetry.open(OUTBOUND, 0, FACTS).finish(5, ENDING, { message: "x", flag: "DENY" });
  telemetry.open(OUTBOUND, 0, FACTS).cancel(5, ENDING);
  const [series, ...others] = metrics.snapshot();
  assert.ok(series);
  assert.equal(others.length, 0);
  assert.deepEqual([series.opened, series.received, series.sent], [3, 11, 22]);
  assert.deepEqual(series.closed, { "-": 2, DENY: 1 });
  assert.deepEqual(series.failed, { DENY: 1 });
  assert.match(lines()[2] ?? "", /\terror\t.* error="connection closed due to connection drain"$/);
});

Deno.test("dataplane 7.5 a connection is recorded once", () => {
  const { telemetry, metrics, lines } = world();
  const record = telemetry.open(OUTBOUND, 0, FACTS);
  record.finish(1, ENDING);
  record.finish(2, ENDING, { message: "late", flag: "CONNECT" });
  record.cancel(3, ENDING);
  assert.deepEqual(metrics.snapshot()[0]?.closed, { "-": 1 });
  assert.equal(lines().length, 1);
});

Deno.test("dataplane 7.3 labels in output order, as recorded", () => {
  const { telemetry, metrics } = world();
  telemetry.open(OUTBOUND, 0, FACTS);
  const [series] = metrics.snapshot();
  assert.ok(series);
  assert.equal(
    flagged(series, "-"),
    'reporter="source",source_workload="client-1",source_canonical_service="client",' +
      'source_canonical_revision="latest",source_workload_namespace="app",' +
      'source_principal="spiffe://cluster.local/ns/app/sa/client",source_app="client",source_version="latest",' +
      'source_cluster="Kubernetes",destination_service="server.app.svc.cluster.local",' +
      'destination_service_namespace="app",destination_service_name="server",' +
      'destination_workload="server-6d4cf56db6",destination_canonical_service="server",' +
      'destination_canonical_revision="v1",destination_workload_namespace="app",' +
      'destination_principal="spiffe://cluster.local/ns/app/sa/server",destination_app="server",' +
      'destination_version="v1",destination_cluster="Kubernetes",request_protocol="tcp",response_flags="-",' +
      'connection_security_policy="mutual_tls",source_region="r1",source_zone="z1",destination_region="r1",' +
      'destination_zone="z1"',
  );
});

Deno.test("access lines: which connections are logged; counters count all of them", () => {
  const outcomes = (access: AccessLines, random = () => 0, filter = "access=debug") => {
    const { telemetry, metrics, lines } = world("plain", filter, access, random);
    telemetry.open(OUTBOUND, 0, FACTS).finish(1, ENDING);
    telemetry.open(OUTBOUND, 0, FACTS).finish(1, ENDING, { flag: "CONNECT", message: "no" });
    telemetry.open(OUTBOUND, 0, FACTS).cancel(1, ENDING);
    telemetry.refuse({
      direction: "outbound",
      source: at("10.9.0.2:1"),
      destination: at("10.9.0.3:2"),
      error: "refused",
      facts: FACTS,
      ending: ENDING,
    }, 0);
    assert.equal(metrics.snapshot()[0]?.opened, 3);
    return lines().map((line) => line.split("\t").slice(1, 4).join(" ")).join("|");
  };
  const failures = "error access connection complete|error access connection complete|warn access connection failed";
  assert.equal(outcomes({ mode: "failures", sample: 1, fields: "default" }), failures);
  assert.equal(outcomes({ mode: "off", sample: 1, fields: "default" }), "");
  assert.equal(outcomes({ mode: "all", sample: 0, fields: "default" }, undefined, "info"), failures);
  assert.equal(outcomes({ mode: "all", sample: 0.5, fields: "default" }, () => 0.5, "info"), failures);
  assert.equal(
    outcomes({ mode: "all", sample: 0.5, fields: "default" }, () => 0.49, "info"),
    `info access connection complete|${failures}`,
  );
});

Deno.test("access lines: a change applies to connections that are open", () => {
  const { telemetry, lines } = world();
  const record = telemetry.open(OUTBOUND, 0, FACTS);
  telemetry.setAccessLines({ mode: "off", sample: 1, fields: "default" });
  record.finish(1, ENDING);
  assert.deepEqual(lines(), []);
});

Deno.test("access lines: ACCESS_LOG_FIELDS=extended adds the id and the ending behind the default fields", () => {
  const { telemetry, lines } = world("plain", "access=debug", { ...ALL_LINES, fields: "extended" });
  const record = telemetry.open(OUTBOUND, 0, FACTS);
  record.addSent(5);
  record.finish(1, ENDING);
  telemetry.refuse({
    direction: "outbound",
    source: at("10.9.0.2:1"),
    destination: at("10.9.0.3:2"),
    error: "refused",
    facts: {
      ...FACTS,
      tls: null,
      carrier: null,
      attempt: 0,
      times: { ...FACTS.times, connected: null, handshaken: null, answered: null },
    },
    ending: { by: "us", how: "no route", phase: "resolving" },
  }, 0);
  const [opened, complete, failed] = lines().map((line) => line.split("\t")[4]);
  const id = `connection.id=${FACTS.id}`, opening = OUTBOUND_LINE.replace(/ bytes_sent.*/, "");
  assert.equal(opened, `${opening} ${id}`);
  assert.equal(
    complete,
    `${opening} bytes_sent=0 bytes_recv=5 duration="1ms" ${id} ended.by="server" ended.how="fin" ` +
      'ended.phase="half-closed" decision.id=abcdefghijkl.1 tls.version="TLSv1.3" tls.group="X25519MLKEM768" hbone.connection=7 attempt=2 ' +
      'time.resolved="0ms" time.connected="1ms" time.handshaken="3ms" time.answered="4ms" time.server_byte="900ms"',
  );
  assert.equal(
    failed,
    `src.addr=10.9.0.2:1 dst.addr=10.9.0.3:2 direction="outbound" error="refused" ${id} ended.by="us" ` +
      'ended.how="no route" ended.phase="resolving" decision.id=abcdefghijkl.1 time.resolved="0ms"',
  );
});

Deno.test("access lines: those of refused connections have the id of the decision, others only with extended fields", () => {
  const { telemetry, lines } = world();
  telemetry.open(OUTBOUND, 0, FACTS).finish(1, ENDING);
  telemetry.open(OUTBOUND, 0, FACTS).finish(1, { by: "us", how: "policy", phase: "authorizing" }, {
    flag: "DENY",
    message: "no",
  });
  const refused = {
    direction: "inbound",
    source: at("10.9.0.2:1"),
    destination: at("10.9.0.3:2"),
    error: "no",
  } as const;
  telemetry.refuse({ ...refused, facts: FACTS, ending: { by: "us", how: "no route", phase: "resolving" } }, 0);
  telemetry.refuse({ ...refused, facts: FACTS, ending: { by: "client", how: "rst", phase: "resolving" } }, 0);
  const ids = lines().map((line) => / decision\.id=(\S+)$/.exec(line)?.[1] ?? null);
  assert.deepEqual(ids, [null, FACTS.decision, FACTS.decision, null]);
});

Deno.test("flow: the first byte of each side has its time since the connection was accepted", () => {
  let now = 0;
  const flows = new FlowLog(10, () => 0);
  const telemetry = new ConnectionTelemetry({
    log: testLog().log,
    metrics: new TrafficMetrics(),
    lines: ALL_LINES,
    flows,
    random: () => 0,
    clock: { now: () => now },
  });
  const times = () => {
    const { clientByte, serverByte } = record.flow("open").times;
    return [clientByte, serverByte];
  };
  const record = telemetry.open(OUTBOUND, 120, { ...FACTS, startedAt: 100 });
  assert.deepEqual(times(), [null, null]);
  now = 105.7;
  record.addReceived(1);
  now = 200;
  record.addReceived(1);
  assert.deepEqual(times(), [5, null]);
  now = 300;
  record.addSent(1);
  now = 400;
  record.addSent(1);
  assert.deepEqual(times(), [5, 200]);
});
