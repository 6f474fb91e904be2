/** Double HBONE: through the gateway of another network (`docs/spec/dataplane.md` 1.6). */
import { strict as assert } from "node:assert";
import type { DumpedConnection } from "./connection_dump.ts";
import type { HeaderList } from "../h2/seam.ts";
import { pattern } from "../h2/testkit/pair.ts";
import { assertSameBytes } from "../net/testkit/contract_kit.ts";
import { type RawPeer, rawServer } from "../hbone/testkit/peer.ts";
import { namespacedHostname, type Service, workloadUid } from "../mesh/model/model.ts";
import { parseIp } from "../net/address.ts";
import { seededChunks } from "../net/testkit/memory_duplex.ts";
import { DEFAULT_SERVICE } from "../mesh/model/defaults.ts";
import { at, echo, type TestNode } from "../dataplane/testkit/testbed.ts";
import {
  AUTHORITY,
  CLIENT,
  GATEWAY,
  HOSTNAME,
  remoteService,
  SERVER,
  SERVER_ID,
  TwoNetworks,
} from "../dataplane/testkit/gateway.ts";
import type { TwoNetworksOptions } from "../dataplane/testkit/gateway.ts";

const FROM_CLIENT = 'src.workload="client" src.namespace="default" ' +
  'src.identity="spiffe://cluster.local/ns/default/sa/client" src.cluster="Kubernetes"';
const TO_SERVER = `dst.identity="${SERVER_ID}" dst.cluster="Kubernetes"`;
const BAGGAGE = "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=client-app," +
  "service.name=client,service.version=v1";
const TRACEPARENT = `00-${"5a".repeat(16)}-${"5a".repeat(8)}-00`;

/** A call that is echoed and ended. */
function echoed(bed: TwoNetworks): void {
  const [client] = bed.through();
  client.send("hello world").end();
  bed.run();
  assert.deepEqual([client.text, client.fate], ["hello world", "fin"]);
}

function labelsOf({ client }: TwoNetworks): Map<string, string> {
  const [only, ...others] = client.series;
  assert.deepEqual(others, []);
  return new Map([...only!.labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]));
}

Deno.test("dataplane TE-08: through a gateway to the other network and back, with one line and one series on each side", () => {
  const bed = new TwoNetworks();
  echoed(bed);
  const { client, server } = bed;
  const out = new RegExp(
    `^info connection complete src\\.addr=${CLIENT}:\\d+ ${FROM_CLIENT} dst\\.addr=${GATEWAY}:15008 ` +
      `dst\\.hbone_addr=${AUTHORITY} dst\\.service="${HOSTNAME}" dst\\.workload="echo-app" dst\\.namespace="default" ` +
      `${TO_SERVER} direction="outbound" bytes_sent=11 bytes_recv=11 duration="\\d+ms"$`,
  );
  const inbound = new RegExp(
    `^info connection complete src\\.addr=${GATEWAY}:\\d+ ${FROM_CLIENT} dst\\.addr=${SERVER}:15008 ` +
      `dst\\.hbone_addr=${AUTHORITY} dst\\.service="${HOSTNAME}" dst\\.workload="echo" dst\\.namespace="default" ` +
      `${TO_SERVER} direction="inbound" bytes_sent=11 bytes_recv=11 duration="\\d+ms"$`,
  );
  assert.match(client.accessLine, out);
  assert.match(server!.accessLine, inbound);
  for (const { traffic } of [client, server!]) {
    assert.deepEqual(traffic, { opened: 1, received: 11, sent: 11, closed: { "-": 1 }, failed: {} });
  }
  const labels = labelsOf(bed);
  assert.equal(labels.get("destination_workload"), "echo-app");
  assert.equal(labels.get("destination_app"), "echo-app", "of the workload, where the other side says it");
  assert.equal(labels.get("destination_canonical_service"), "echo");
  assert.equal(labels.get("destination_version"), "v1");
  assert.equal(labels.get("destination_principal"), SERVER_ID);
  assert.equal(labels.get("destination_service_name"), "remote");
  assert.equal(labels.get("connection_security_policy"), "mutual_tls");
  bed.assertClean();
});

Deno.test("dataplane TE-09, OB-04: the gateway is a service, which maps the port 15009 to 15008", () => {
  const service: Service = {
    ...DEFAULT_SERVICE,
    key: namespacedHostname("default", "ew-gtw"),
    namespace: "default",
    name: "ew-gtw",
    hostname: "ew-gtw",
    vips: [{ network: "south", ip: parseIp("10.10.0.9")! }],
    ports: new Map([[15009, 15008]]),
  };
  const key = service.key;
  const bed = new TwoNetworks({
    gateway: { kind: "hostname", key, namespace: "default", hostname: "ew-gtw", hboneMtlsPort: 15009 },
  });
  const gateway = workloadUid("Kubernetes//Pod/default/gateway");
  bed.apply({ kind: "service", service, endpoints: [{ workloadUid: gateway, ports: new Map(), status: "Healthy" }] });
  echoed(bed);
  assert.match(bed.client.accessLine, new RegExp(`dst\\.addr=${GATEWAY}:15008 dst\\.hbone_addr=${AUTHORITY} `));
  bed.assertClean();
});

Deno.test("dataplane TE-10: a service with endpoints here and behind a gateway: each call reaches one of them, and of many calls both get some", () => {
  let calls = 0;
  const bed = new TwoNetworks({ client: { random: () => calls++ % 2 / 2 } });
  const NEAR = "10.0.0.3";
  bed.node("near", NEAR, { env: { NETWORK: "north" }, workload: { network: "north" } });
  bed.listen(`${NEAR}:8080`, echo);
  const endpoint = (name: string) => ({
    workloadUid: workloadUid(`Kubernetes//Pod/default/${name}`),
    ports: new Map(),
    status: "Healthy" as const,
  });
  bed.apply({ kind: "service", service: remoteService(), endpoints: [endpoint("near"), endpoint("echo")] });
  const principals = ({ series }: TestNode) =>
    new Set(series.map(({ labels }) => /destination_principal="([^"]*)"/.exec(labels)?.[1]));
  const call = () => {
    const client = bed.call();
    client.send("hello world").end();
    bed.run();
    assert.deepEqual([client.text, client.fate], ["hello world", "fin"]);
  };
  call();
  assert.equal(principals(bed.client).size, 1);
  for (let i = 0; i < 50; i++) call();
  assert.deepEqual(principals(bed.client), new Set(["spiffe://cluster.local/ns/default/sa/near", SERVER_ID]));
  const [far, ...others] = bed.server!.series;
  assert.deepEqual(others, []);
  assert.match(
    far!.labels,
    new RegExp(
      `reporter="destination".*destination_service="${HOSTNAME}",destination_service_namespace="default",` +
        'destination_service_name="remote"',
    ),
  );
  // Two idle connections are left, one of each kind.
  bed.client.drain();
  bed.advance(100);
  bed.assertClean();
});

Deno.test("dataplane OB-03: the gateway is an address, with a port of its own", () => {
  const gateway = { kind: "address", network: "south", ip: parseIp(GATEWAY)!, hboneMtlsPort: 15009 } as const;
  const bed = new TwoNetworks({ gateway, gatewayPort: 15009 });
  echoed(bed);
  assert.match(bed.client.accessLine, new RegExp(`dst\\.addr=${GATEWAY}:15009 dst\\.hbone_addr=${AUTHORITY} `));
  bed.assertClean();
});

/** The inner server is scripted. */
function scripted(
  prepare: (peer: RawPeer) => void = () => {},
  options: TwoNetworksOptions = {},
): { bed: TwoNetworks; peers: RawPeer[] } {
  const bed = new TwoNetworks({ ...options, withoutServer: true });
  const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), bed.context(SERVER_ID), {}, prepare);
  return { bed, peers };
}

Deno.test("dataplane HD-10, xds X209: both requests are the same, but only the inner one has x-forwarded-network", () => {
  const { bed, peers } = scripted();
  const client = bed.call();
  bed.run();
  const forwarded = `for="${CLIENT}:${client.duplex.local.port}";host=${HOSTNAME}`;
  const outer: HeaderList = [
    [":method", "CONNECT"],
    [":authority", AUTHORITY],
    ["baggage", BAGGAGE],
    ["forwarded", forwarded],
    ["traceparent", TRACEPARENT],
  ];
  assert.deepEqual(bed.gateway.requests, [outer]);
  assert.deepEqual(peers.map(({ requests }) => requests), [[[...outer, ["x-forwarded-network", "north"]]]]);
  client.reset();
  bed.run();
  bed.assertClean();
});

Deno.test("dataplane 1.6: a network without a name is sent too", () => {
  const { bed, peers } = scripted(() => {}, { client: { env: { NETWORK: "" }, workload: { network: "" } } });
  const vip = { network: "", ip: parseIp("10.10.0.2")! };
  const service: Service = {
    ...DEFAULT_SERVICE,
    key: namespacedHostname("default", "other"),
    namespace: "default",
    hostname: "other",
    vips: [vip],
    ports: new Map([[80, 8080]]),
    subjectAltNames: [SERVER_ID],
  };
  const echo = workloadUid("Kubernetes//Pod/default/echo");
  bed.apply({ kind: "service", service, endpoints: [{ workloadUid: echo, ports: new Map(), status: "Healthy" }] });
  const client = bed.connect(CLIENT, "10.10.0.2:80");
  bed.run();
  assert.deepEqual(peers[0]!.requests[0]!.at(-1), ["x-forwarded-network", ""]);
  assert.deepEqual(peers[0]!.requests[0]![1], [":authority", "other:80"], "the service's port, not the endpoint's");
  client.reset();
  bed.assertClean();
});

Deno.test("dataplane 1.6: the outer connection is shared, each call has an inner one of its own", () => {
  const bed = new TwoNetworks();
  const calls = Array.from({ length: 3 }, () => bed.through()[0]);
  assert.equal(bed.gateway.connections.size, 1);
  assert.equal(bed.gateway.requests.length, 3);
  assert.deepEqual(bed.apps.length, 3);
  for (const call of calls) call.send("x").end();
  bed.run();
  assert.deepEqual(calls.map(({ text, fate }) => [text, fate]), Array(3).fill(["x", "fin"]));
  assert.equal(bed.gateway.connections.size, 1, "it waits for the next");
  assert.equal(bed.gateway.tunnels.size, 0);
  bed.assertClean();
});

for (
  const [what, baggage] of [
    ["no baggage", null],
    ["baggage that is no visible ASCII", "k8s.namespace.name=caf\u00e9"],
  ] as const
) {
  Deno.test(`dataplane 1.6 step 8: ${what} in the answer: the record names the gateway`, () => {
    const { bed, peers } = scripted((peer) => {
      peer.answer = ({ stream }) => {
        stream.respond([[":status", "200"], ...(baggage === null ? [] : [["baggage", baggage] as const])], false);
      };
    });
    const client = bed.call();
    bed.run();
    client.end();
    peers[0]!.streams[0]!.stream.end();
    bed.run();
    assert.match(
      bed.client.accessLine,
      /^info .* dst\.workload="gateway" dst\.namespace="default" dst\.identity=\S+sa\/gateway"/,
    );
    assert.equal(labelsOf(bed).get("destination_workload"), "gateway-app");
    bed.assertClean();
  });
}

Deno.test("dataplane 1.6 step 8: with baggage that names nothing the record has the identity only", () => {
  const { bed, peers } = scripted((peer) => {
    peer.answer = ({ stream }) => stream.respond([[":status", "200"], ["baggage", "unknown=1"]], false);
  });
  const client = bed.call();
  bed.run();
  client.end();
  peers[0]!.streams[0]!.stream.end();
  bed.run();
  assert.match(
    bed.client.accessLine,
    new RegExp(`dst\\.service="${HOSTNAME}" dst\\.identity="${SERVER_ID}" direction`),
  );
  assert.equal(labelsOf(bed).get("destination_workload"), "unknown");
  bed.assertClean();
});

Deno.test("dataplane 8.3: the record is opened when the far end has answered, not before", () => {
  const { bed, peers } = scripted((peer) => peer.answer = () => {}, { client: { logFilter: "debug" } });
  const client = bed.call();
  bed.run();
  assert.deepEqual([bed.client.access, bed.client.series], [[], []]);
  bed.advance(3000);
  peers[0]!.streams[0]!.stream.respond([[":status", "200"], ["baggage", "k8s.pod.name=echo"]], false);
  bed.run();
  assert.match(bed.client.accessLine, /^debug connection opened .* dst\.workload="echo" dst\.identity=/);
  client.reset();
  bed.run();
  assert.match(bed.client.access[1]!, / duration="3000ms"$/, "since it was accepted");
  bed.assertClean();
});

Deno.test("config 4.4: in the dump it is DOUBLEHBONE", () => {
  const bed = new TwoNetworks();
  const [client] = bed.through();
  const outbound = () => bed.client.pod.dumpConnections("outbound", null).entries;
  const [{ src, originalDst, actualDst, protocol, route }] = outbound() as [DumpedConnection];
  assert.deepEqual([src, originalDst], [`${CLIENT}:${client.duplex.local.port}`, "10.10.0.1:8080"]);
  assert.deepEqual([actualDst, protocol, route], [`${GATEWAY}:15008`, "DOUBLEHBONE", "gateway"]);
  client.end();
  bed.run();
  assert.deepEqual(outbound(), []);
  bed.assertClean();
});

Deno.test("double HBONE: the log has the peer and the TLS parameters of both connections", () => {
  const bed = new TwoNetworks({ client: { logFilter: "debug" } });
  echoed(bed);
  const established = bed.client.lines.filter((line) => line.includes("HBONE connection established"));
  assert.deepEqual(established.map((line) => /identity="\S+\/(\w+)"/.exec(line)?.[1]), ["gateway", "echo"]);
  bed.assertClean();
});

for (
  const [what, memory, size] of [
    ["20 MB", {}, 20_000_000],
    ["2 MB in small pieces", { bufferBytes: 3000, chunking: seededChunks(5) }, 2_000_000],
  ] as const
) {
  Deno.test(`double HBONE: ${what} both ways at once`, () => {
    const bed = new TwoNetworks({ memory });
    const [client] = bed.through();
    const payload = pattern(size);
    client.send(payload).end();
    bed.run();
    assertSameBytes(client.bytes, payload);
    assert.equal(client.fate, "fin");
    assert.deepEqual(bed.client.traffic, { opened: 1, received: size, sent: size, closed: { "-": 1 }, failed: {} });
    bed.assertClean();
  });
}

Deno.test("double HBONE: a hundred calls at once, through one outer connection", () => {
  const bed = new TwoNetworks();
  const payload = pattern(50_000);
  const calls = Array.from({ length: 100 }, () => bed.startConnecting(CLIENT, "10.10.0.1:8080"));
  bed.run();
  for (const call of calls) call().send(payload).end();
  bed.run();
  for (const call of calls) assertSameBytes(call().bytes, payload);
  assert.equal(bed.gateway.connections.size, 1);
  bed.assertClean();
});
