/** Log lines and counters of both sides of connections (`docs/spec/dataplane.md` 7.5, 8, 10.8). */
import { strict as assert } from "node:assert";
import { rawServer } from "../hbone/testkit/peer.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { namespacedHostname } from "../mesh/model/model.ts";
import { DEFAULT_SERVICE } from "../mesh/model/defaults.ts";
import { parseIp } from "../net/address.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2", WAYPOINT = "10.0.0.3", VIP = "10.10.0.1";
const HELLO = "hello world";

/** Answers every piece with twice as many bytes: 11 in, 22 out. */
const twice: typeof echo = (socket) => {
  socket.onBytes = (bytes) => void socket.send(bytes).send(bytes);
  socket.onEnded = () => void socket.end();
};

/** The fields of a line from `from` on, without the client's port. */
function fields(line: string): string {
  return line.replace(/src\.addr=10\.0\.0\.1:\d+/, "src.addr=10.0.0.1");
}

function exchange(bed: Testbed, to: string): string {
  const client = bed.connect(CLIENT, to);
  client.send(HELLO);
  bed.run();
  client.end();
  bed.run();
  assert.equal(client.fate, "fin");
  return client.text;
}

function labels(node: TestNode): Map<string, string> {
  const [series] = node.series;
  const pairs = series!.labels.matchAll(/(\w+)="([^"]*)"/g);
  return new Map([...pairs].map(([, name, value]) => [name!, value!]));
}

Deno.test("dataplane TE-01 TE-02 captured to captured: lines, counters and labels of both sides", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, twice);
  assert.equal(exchange(bed, `${SERVER}:8080`), HELLO + HELLO);
  const who = 'src.workload="client" src.namespace="default" ' +
    'src.identity="spiffe://cluster.local/ns/default/sa/client" src.cluster="Kubernetes" ' +
    `dst.addr=${SERVER}:15008 dst.hbone_addr=${SERVER}:8080 dst.workload="server" dst.namespace="default" ` +
    'dst.identity="spiffe://cluster.local/ns/default/sa/server" dst.cluster="Kubernetes"';
  assert.equal(
    fields(client.accessLine),
    `info connection complete src.addr=10.0.0.1 ${who} direction="outbound" bytes_sent=11 bytes_recv=22 duration="0ms"`,
  );
  assert.equal(
    fields(server.accessLine),
    `info connection complete src.addr=10.0.0.1 ${who} direction="inbound" bytes_sent=22 bytes_recv=11 duration="0ms"`,
  );
  for (const node of [client, server]) {
    assert.deepEqual(node.traffic, { opened: 1, received: 11, sent: 22, closed: { "-": 1 }, failed: {} });
    const found = labels(node);
    assert.equal(found.get("reporter"), node === client ? "source" : "destination");
    assert.equal(found.get("source_workload"), "client-app");
    assert.equal(found.get("source_principal"), client.id);
    assert.equal(found.get("destination_workload"), "server-app");
    assert.equal(found.get("destination_principal"), server.id);
    assert.equal(found.get("connection_security_policy"), "mutual_tls");
  }
  bed.assertClean();
});

Deno.test("dataplane TE-03 captured to uncaptured: no identities in the log, the destination's in the metric", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT);
  bed.apply(workloadAt("server", SERVER, { protocol: "TCP" }));
  bed.listen(`${SERVER}:8080`, twice);
  assert.equal(exchange(bed, `${SERVER}:8080`), HELLO + HELLO);
  assert.equal(
    fields(client.accessLine),
    'info connection complete src.addr=10.0.0.1 src.workload="client" src.namespace="default" ' +
      `src.cluster="Kubernetes" dst.addr=${SERVER}:8080 dst.workload="server" dst.namespace="default" ` +
      'dst.cluster="Kubernetes" direction="outbound" bytes_sent=11 bytes_recv=22 duration="0ms"',
  );
  assert.deepEqual(client.traffic, { opened: 1, received: 11, sent: 22, closed: { "-": 1 }, failed: {} });
  const found = labels(client);
  assert.equal(found.get("source_principal"), "unknown");
  assert.equal(found.get("destination_principal"), "spiffe://cluster.local/ns/default/sa/server");
  assert.equal(found.get("connection_security_policy"), "unknown");
  bed.assertClean();
});

Deno.test("dataplane 1.8: uncaptured to captured passes in plain, and the application sees the client's address", () => {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  bed.apply(workloadAt("stranger", CLIENT));
  const applications = bed.listen(`${SERVER}:8080`, twice);
  assert.equal(exchange(bed, `${SERVER}:8080`), HELLO + HELLO);
  assert.equal(applications[0]!.duplex.remote.ip, CLIENT);
  assert.equal(
    fields(server.accessLine),
    'info connection complete src.addr=10.0.0.1 src.workload="stranger" src.namespace="default" ' +
      `src.cluster="Kubernetes" dst.addr=${SERVER}:8080 dst.workload="server" dst.namespace="default" ` +
      'dst.cluster="Kubernetes" direction="inbound" bytes_sent=22 bytes_recv=11 duration="0ms"',
  );
  assert.deepEqual(server.traffic, { opened: 1, received: 11, sent: 22, closed: { "-": 1 }, failed: {} });
  assert.equal(labels(server).get("connection_security_policy"), "unknown");
  bed.assertClean();
});

Deno.test("dataplane 1.7 16: over HBONE too the application sees the client's address", () => {
  const bed = new Testbed();
  bed.node("client", CLIENT);
  bed.node("server", SERVER);
  const applications = bed.listen(`${SERVER}:8080`, echo);
  exchange(bed, `${SERVER}:8080`);
  assert.equal(applications[0]!.duplex.remote.ip, CLIENT);
  bed.assertClean();
});

Deno.test("dataplane 1.4: between unknown addresses the connection passes in plain", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT);
  bed.listen("192.0.2.7:443", echo);
  assert.equal(exchange(bed, "192.0.2.7:443"), HELLO);
  assert.match(client.accessLine, /dst\.addr=192\.0\.2\.7:443 direction="outbound" bytes_sent=11 bytes_recv=11/);
  assert.equal(labels(client).get("destination_workload"), "unknown");
  bed.assertClean();
});

/** A waypoint as the test server of the specification: greets, then echoes. */
function waypoint(bed: Testbed): string[] {
  const authorities: string[] = [];
  bed.apply(workloadAt("waypoint", WAYPOINT, { protocol: "HBONE" }));
  const context = bed.context("spiffe://cluster.local/ns/default/sa/waypoint");
  rawServer(bed.host(WAYPOINT), at(`${WAYPOINT}:15008`), context, {}, (peer) => {
    peer.answer = (log, headers) => {
      authorities.push(headers[1]![1]);
      log.stream.respond([[":status", "200"]], false);
      const greeting = new TextEncoder().encode("waypoint\n");
      const room = log.stream.reserve(100, 1000)!;
      room.bytes.set(greeting, room.segments[0]!);
      log.stream.commit(greeting.length, false);
      log.onEnded = () => {
        const back = log.body;
        const room = log.stream.reserve(back.length, 1000)!;
        room.bytes.set(back, room.segments[0]!);
        log.stream.commit(back.length, true);
      };
    };
  });
  return authorities;
}

const WAYPOINT_REFERENCE = {
  kind: "address",
  network: "",
  ip: parseIp(WAYPOINT)!,
  hboneMtlsPort: 15008,
} as const;

const WAYPOINT_HOST = "waypoint.example";
const BY_NAME = {
  kind: "hostname",
  key: namespacedHostname("default", WAYPOINT_HOST),
  namespace: "default",
  hostname: WAYPOINT_HOST,
  hboneMtlsPort: 15008,
} as const;

/** The waypoint as a service with its pod as endpoint. */
const WAYPOINT_SERVICE: readonly MeshChange[] = [
  {
    kind: "service",
    service: {
      ...DEFAULT_SERVICE,
      key: BY_NAME.key,
      name: "waypoint",
      namespace: "default",
      hostname: WAYPOINT_HOST,
      vips: [{ network: "", ip: parseIp("10.10.0.2")! }],
      ports: new Map([[15008, 15008]]),
    },
    endpoints: [],
  },
  {
    ...workloadAt("waypoint", WAYPOINT, { protocol: "HBONE", services: [BY_NAME.key] }),
    endpoints: new Map([[BY_NAME.key, new Map([[15008, 15008]])]]),
  } as MeshChange,
];

for (
  const { vector, reference, more } of [
    { vector: "dataplane TE-04, config C53 workload waypoint by address", reference: WAYPOINT_REFERENCE, more: [] },
    {
      vector: "dataplane TE-06 workload waypoint by the host name of a service",
      reference: BY_NAME,
      more: WAYPOINT_SERVICE,
    },
    {
      vector: "dataplane TE-07 workload waypoint by the host name of a workload",
      reference: BY_NAME,
      more: [workloadAt("waypoint", WAYPOINT, { protocol: "HBONE", hostname: WAYPOINT_HOST })],
    },
  ]
) {
  Deno.test(vector, () => {
    const bed = new Testbed();
    const client = bed.node("client", CLIENT);
    const authorities = waypoint(bed);
    bed.apply(...more, workloadAt("server", SERVER, { protocol: "HBONE", waypoint: reference }));
    assert.equal(exchange(bed, `${SERVER}:8080`), `waypoint\n${HELLO}`);
    assert.deepEqual(authorities, [`${SERVER}:8080`]);
    assert.match(
      client.accessLine,
      new RegExp(
        '^info connection complete .*src.identity="spiffe://cluster.local/ns/default/sa/client" .*' +
          `dst.addr=${WAYPOINT}:15008 dst.hbone_addr=${SERVER}:8080 ` +
          'dst.workload="waypoint" dst.namespace="default" ' +
          'dst.identity="spiffe://cluster.local/ns/default/sa/waypoint" .*direction="outbound" ' +
          "bytes_sent=11 bytes_recv=20",
      ),
    );
    assert.deepEqual(client.traffic, { opened: 1, received: 11, sent: 20, closed: { "-": 1 }, failed: {} });
    bed.assertClean();
  });
}

Deno.test("dataplane TE-05 service waypoint by address: authority and service are the service's", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT);
  const authorities = waypoint(bed);
  const service = {
    ...DEFAULT_SERVICE,
    key: namespacedHostname("default", "web.default.svc"),
    name: "web",
    namespace: "default",
    hostname: "web.default.svc",
    vips: [{ network: "", ip: parseIp(VIP)! }],
    ports: new Map([[80, 8080]]),
    waypoint: WAYPOINT_REFERENCE,
  };
  bed.apply({ kind: "service", service, endpoints: [] });
  assert.equal(exchange(bed, `${VIP}:80`), `waypoint\n${HELLO}`);
  assert.deepEqual(authorities, [`${VIP}:80`]);
  assert.match(
    client.accessLine,
    /dst\.hbone_addr=10\.10\.0\.1:80 dst\.service="web\.default\.svc" dst\.workload="waypoint"/,
  );
  assert.equal(labels(client).get("destination_service_name"), "web");
  bed.assertClean();
});

Deno.test("dataplane 8.3: with debug on, one line when a connection is opened and one when it is complete", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT, { logFilter: "info,access=debug" });
  bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  exchange(bed, `${SERVER}:8080`);
  assert.deepEqual(client.access.map((line) => line.split(" src.")[0]), [
    "debug connection opened",
    "info connection complete",
  ]);
  bed.assertClean();
});

Deno.test("dataplane 8.2: the duration counts from accept, in whole milliseconds of the loop's clock", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT);
  bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  client.certificates = "hold";
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.advance(700);
  client.issueCertificate();
  bed.advance(550);
  socket.end();
  bed.run();
  assert.match(client.accessLine, /duration="1250ms"$/);
  bed.assertClean();
});
