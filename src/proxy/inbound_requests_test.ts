/** Requests of peers: answers, resets, log lines (`docs/spec/dataplane.md` 1.7, 2.4, 10.2). */
import { strict as assert } from "node:assert";
import { rawBytes, rawClient, type RawPeer } from "../hbone/testkit/peer.ts";
import { concat, type StreamLog } from "../h2/testkit/pair.ts";
import { data, frame, settings, settingsAck } from "../h2/testkit/frames.ts";
import { FLAG_END_HEADERS, FrameType, PREFACE } from "../h2/frame.ts";
import { HpackEncoder } from "../h2/hpack/encoder.ts";
import { ErrorCode, type HeaderList } from "../h2/seam.ts";
import { DEFAULT_SERVICE } from "../mesh/model/defaults.ts";
import type { MeshChange } from "../mesh/model/changes.ts";
import { namespacedHostname, type Workload, workloadUid } from "../mesh/model/model.ts";
import { parseIp } from "../net/address.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const PEER = "10.0.0.1", SERVER = "10.0.0.2";
const ID = "spiffe://cluster.local/ns/default/sa/peer";
const HOST = "server.default.svc.cluster.local";

interface Scene {
  readonly bed: Testbed;
  readonly server: TestNode;
  readonly peer: RawPeer;
}

function scene(env: Record<string, string> = {}, workload: Partial<Workload> = {}): Scene {
  const bed = new Testbed();
  const services = [namespacedHostname("default", HOST)];
  const server = bed.node("server", SERVER, { env, workload: { services, ...workload } });
  bed.apply({
    kind: "service",
    service: {
      ...DEFAULT_SERVICE,
      key: namespacedHostname("default", HOST),
      name: "server",
      namespace: "default",
      hostname: HOST,
      vips: [{ network: "", ip: parseIp("10.10.0.1")! }],
      ports: new Map([[80, 8080]]),
    },
    endpoints: [{
      workloadUid: server.plane.state.findLocalWorkload("server", "default", "server")!.uid,
      ports: new Map(),
      status: "Healthy",
    }],
  });
  bed.listen(`${SERVER}:8080`, echo);
  return { bed, server, peer: rawClient(bed.host(PEER), at(`${SERVER}:15008`), bed.context(ID)) };
}

function connectTo(authority: string, ...more: [string, string][]): HeaderList {
  return [[":method", "CONNECT"], [":authority", authority], ...more];
}

function ask({ bed, peer }: Scene, headers: HeaderList): StreamLog {
  const stream = peer.open(headers);
  bed.run();
  return stream;
}

/** The proxy still serves on the same connection, and nothing of earlier requests is left. */
function assertGoesOn(scene: Scene): void {
  const { bed, peer } = scene;
  const stream = ask(scene, connectTo(`${SERVER}:8080`));
  assert.deepEqual(stream.headers?.[0], [":status", "200"]);
  stream.stream.end();
  bed.run();
  assert.equal(stream.events.at(-2), "end");
  peer.close();
  bed.assertClean();
}

interface Refused {
  readonly vector: string;
  readonly headers: HeaderList;
  readonly status: string;
  readonly error: string;
}

const GET: HeaderList = [[":method", "GET"], [":scheme", "http"], [":authority", "10.0.0.2:8080"], [":path", "/"]];
const noAuthority = (authority: string) => `no valid authority pseudo header: ${authority}`;

const REFUSED: readonly Refused[] = [
  { vector: "IN-14", headers: connectTo("10.0.0.2"), status: "400", error: noAuthority("10.0.0.2") },
  { vector: "IN-14", headers: connectTo("host"), status: "400", error: noAuthority("host") },
  { vector: "IN-14", headers: connectTo("host:99999"), status: "400", error: noAuthority("host:99999") },
  { vector: "O35", headers: connectTo("10.0.0.2:015001"), status: "400", error: noAuthority("10.0.0.2:015001") },
  {
    vector: "IN-15",
    headers: connectTo("10.0.0.2:15001"),
    status: "503",
    error: "attempted recursive call to ourselves",
  },
  {
    vector: "O35",
    headers: connectTo("10.0.0.2:15000"),
    status: "503",
    error: "attempted recursive call to ourselves",
  },
  {
    vector: "O35",
    headers: connectTo("10.0.0.2:15021"),
    status: "503",
    error: "attempted recursive call to ourselves",
  },
  {
    vector: "IN-16",
    headers: connectTo("unknown.example:80"),
    status: "503",
    error: "no service or workload for hostname: unknown.example",
  },
  {
    vector: "IN-17",
    headers: connectTo(`${HOST}:9999`),
    status: "503",
    error: `requested service ${HOST}:9999 found, but cannot resolve port`,
  },
  {
    vector: "IN-19, xds X223, config C52, inpod R22",
    headers: connectTo("10.0.0.1:8080"),
    status: "400",
    error: "ip mismatch: 10.0.0.2 != 10.0.0.1",
  },
];

Deno.test("dataplane IN-13 GET: 400 with a text; a request that does not end is reset after a second", () => {
  const here = scene();
  const stream = ask(here, GET);
  assert.deepEqual(stream.headers, [[":status", "400"], ["content-type", "text/plain"]]);
  assert.deepEqual(stream.events, ["response", "data", "end", "flush"]);
  assert.match(stream.text, /^This port speaks HBONE/);
  assert.ok(here.server.accessLine.endsWith('error="expected method CONNECT, got GET"'), here.server.accessLine);
  assert.deepEqual(here.server.series, []);
  here.bed.advance(1000);
  assert.equal(stream.events.at(-1), `reset peer ${ErrorCode.NO_ERROR}`);
  assertGoesOn(here);
});

for (const { vector, headers, status, error } of REFUSED) {
  Deno.test(`dataplane ${vector} ${headers[0]![1]} ${headers[1]![1]}: ${status}, one line, no counters`, () => {
    const here = scene();
    const stream = ask(here, headers);
    assert.deepEqual(stream.headers, [[":status", status]]);
    // The answer ends the server's half; the reset asks the peer to stop (RFC 9113 §8.1).
    assert.deepEqual(stream.events, ["response", "end", "flush", `reset peer ${ErrorCode.NO_ERROR}`]);
    assert.match(
      here.server.accessLine,
      new RegExp(`^warn connection failed src.addr=${PEER}:\\d+ dst.addr=${SERVER}:15008 direction="inbound" error=`),
    );
    assert.ok(here.server.accessLine.endsWith(`error="${error}"`), here.server.accessLine);
    assert.deepEqual(here.server.series, []);
    assertGoesOn(here);
  });
}

const ALLOW_NOBODY: MeshChange = {
  kind: "policy",
  key: "default/allow" as never,
  policy: {
    name: "allow",
    namespace: "default",
    scope: "Namespace",
    action: "Allow",
    dryRun: false,
    rules: [],
  },
};

Deno.test("dataplane IN-18 a policy that allows others: 401, flag DENY, both lines of the counters", () => {
  const here = scene();
  here.server.plane.applyMesh([ALLOW_NOBODY]);
  const stream = ask(here, connectTo(`${SERVER}:8080`));
  assert.deepEqual(stream.headers, [[":status", "401"]]);
  assert.match(
    here.server.accessLine,
    /^error connection complete .* bytes_sent=0 bytes_recv=0 .* error="connection closed due to policy rejection: allow policies exist, but none allowed"$/,
  );
  const counted = { opened: 1, received: 0, sent: 0, closed: { DENY: 1 }, failed: { DENY: 1 } };
  assert.deepEqual(here.server.traffic, counted);
  here.server.plane.applyMesh([{ kind: "remove-policy", key: "default/allow" as never }]);
  assertGoesOn(here);
});

Deno.test("dataplane IN-24 a peer of another trust domain is refused in the handshake, which its first read shows", () => {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  bed.node("client", PEER, { trustDomain: "clusterset.local" });
  const client = bed.connect(PEER, `${SERVER}:8080`);
  client.send("lost");
  bed.run();
  assert.notEqual(client.fate, "open");
  assert.equal(client.count, 0);
  assert.ok(
    server.accessLine.endsWith(
      'error="tls handshake error: identity verification error: peer did not present the expected trustdomain ' +
        '(cluster.local), got spiffe://clusterset.local/ns/default/sa/client"',
    ),
    server.accessLine,
  );
  bed.assertClean();
});

Deno.test("dataplane IN-25 the 200 has the baggage of the pod", () => {
  const here = scene();
  const stream = ask(here, connectTo(`${SERVER}:8080`));
  assert.deepEqual(stream.headers, [
    [":status", "200"],
    [
      "baggage",
      "k8s.cluster.name=Kubernetes,k8s.namespace.name=default,k8s.deployment.name=server-app,service.name=server," +
      "service.version=v1",
    ],
  ]);
  here.peer.close();
  here.bed.assertClean();
});

Deno.test("dataplane IN-26 without response baggage the 200 has none", () => {
  const here = scene({ ENABLE_RESPONSE_BAGGAGE: "false" });
  assert.deepEqual(ask(here, connectTo(`${SERVER}:8080`)).headers, [[":status", "200"]]);
  here.peer.close();
  here.bed.assertClean();
});

Deno.test("dataplane IN-27 OB-29 a workload that is not in the mesh for 5 s: the peer is closed before any handshake", () => {
  const bed = new Testbed();
  const server = bed.node("server", SERVER, { workload: null });
  const peer = bed.connect(PEER, `${SERVER}:15008`);
  bed.advance(4999);
  assert.equal(peer.fate, "open");
  bed.advance(1);
  assert.equal(peer.fate, "fin");
  assert.ok(
    server.accessLine.endsWith('error="failed to fetch information about local workload: server.default (server)"'),
  );
  bed.assertClean();
});

const BAGGAGE: [string, string] = [
  "baggage",
  "k8s.cluster.name=test-cluster,k8s.namespace.name=test-ns,k8s.deployment.name=test-app",
];
const ELSEWHERE: [string, string] = ["x-forwarded-network", "elsewhere"];

/** A network gateway's reference by address. */
function gatewayAt(ip: string): Partial<Workload> {
  return { networkGateway: { kind: "address", network: "", ip: parseIp(ip)!, hboneMtlsPort: 15008 } };
}

/** The access log line of a call with these headers, `connection complete`. */
function lineOf(here: Scene, ...headers: [string, string][]): string {
  const stream = ask(here, connectTo(`${SERVER}:8080`, ...headers));
  stream.stream.end();
  here.bed.run();
  return here.server.accessLine;
}

for (const on of [true, false]) {
  Deno.test(`dataplane IN-28 baggage by way of the network's gateway is ${on ? "used" : "ignored"}`, () => {
    const here = scene(on ? {} : { ENABLE_RESPONSE_BAGGAGE: "false" }, gatewayAt(PEER));
    const line = lineOf(here, BAGGAGE, ELSEWHERE);
    assert.equal(line.includes('src.namespace="test-ns"'), on, line);
    assert.equal(line.includes('src.cluster="test-cluster"'), on, line);
    assert.ok(line.includes(`src.identity="${ID}"`), line);
    assertGoesOn(here);
  });
}

/** What the mesh has as the gateway, and whether the caller is accepted as that gateway. */
const GATEWAYS: readonly (readonly [string, Partial<Workload>, boolean, (here: Scene) => void])[] = [
  ["there is none", {}, false, () => {}],
  ["it has another address", gatewayAt("10.0.0.9"), false, () => {}],
  [
    "a workload has the caller's identity",
    gatewayAt("10.0.0.9"),
    true,
    ({ bed }) => bed.apply(workloadAt("gateway", "10.0.0.9", { serviceAccount: "peer" })),
  ],
  [
    "a workload has another identity",
    gatewayAt("10.0.0.9"),
    false,
    ({ bed }) => bed.apply(workloadAt("gateway", "10.0.0.9", { serviceAccount: "other" })),
  ],
  [
    "a service has the caller behind it",
    gatewayAt("10.10.0.7"),
    true,
    ({ bed }) => {
      bed.apply(workloadAt("gateway", PEER), {
        kind: "service",
        service: { ...DEFAULT_SERVICE, name: "gateway", vips: [{ network: "", ip: parseIp("10.10.0.7")! }] },
        endpoints: [{
          workloadUid: workloadUid("Kubernetes//Pod/default/gateway"),
          ports: new Map(),
          status: "Healthy",
        }],
      });
    },
  ],
];
for (const [who, workload, taken, prepare] of GATEWAYS) {
  Deno.test(`baggage is used only from a gateway that the mesh names: ${who}, observed O52`, () => {
    const here = scene({}, workload);
    prepare(here);
    const line = lineOf(here, BAGGAGE, ELSEWHERE);
    assert.equal(line.includes('src.namespace="test-ns"'), taken, line);
    assert.ok(line.includes(`src.identity="${ID}"`), line);
  });
}

Deno.test("baggage of a gateway is used only with the header of another network, observed O52", () => {
  const here = scene({}, gatewayAt(PEER));
  assert.ok(!lineOf(here, BAGGAGE).includes("test-ns"));
});

Deno.test("baggage is used only after policies have allowed the call, observed O52", () => {
  const here = scene({}, gatewayAt(PEER));
  here.bed.apply(ALLOW_NOBODY);
  const line = lineOf(here, BAGGAGE, ELSEWHERE);
  assert.match(line, /^error connection complete .*policy rejection/);
  assert.ok(!line.includes("test-ns"), line);
  assert.ok(!here.server.metrics.snapshot().traffic.some(({ labels }) => labels.includes("test-")));
});

Deno.test("dataplane 1.7 12: the address of a gateway of another network is not taken for the source's", () => {
  const bed = new Testbed();
  const server = bed.node("server", SERVER, { workload: gatewayAt(PEER) });
  bed.node("client", PEER);
  bed.listen(`${SERVER}:8080`, echo);
  const peer = rawClient(bed.host(PEER), at(`${SERVER}:15008`), bed.context(ID));
  const baggage: [string, string] = ["baggage", "k8s.namespace.name=far"];
  for (const network of ["", "elsewhere"]) {
    const stream = peer.open(connectTo(`${SERVER}:8080`, baggage, ["x-forwarded-network", network]));
    bed.run();
    stream.stream.end();
    bed.run();
  }
  const [same, other] = server.access;
  assert.match(same!, /src\.workload="client" src\.namespace="default"/);
  assert.match(other!, /src\.namespace="far"/);
  peer.close();
  bed.assertClean();
});

Deno.test("a CONNECT whose HEADERS end the stream: the application gets a FIN, the caller its answer", () => {
  const { bed, server } = scene();
  const context = bed.context(ID);
  const peer = rawBytes(bed.host(PEER), at(`${SERVER}:15008`), context);
  const block = new Uint8Array(1000);
  const length = new HpackEncoder().encode(connectTo(`${SERVER}:8080`), block, 0);
  const headers = frame(FrameType.HEADERS, FLAG_END_HEADERS | 1, 1, block.subarray(0, length));
  peer.send(concat([PREFACE, settings(), settingsAck(), headers]));
  bed.run();
  assert.match(server.accessLine, /^info connection complete .* bytes_sent=0 bytes_recv=0 duration="0ms"$/);
  peer.close();
  bed.run();
  assert.equal(server.pod.connectionCount, 1, "only the other peer's tunnel");
});

Deno.test("data and the end that arrive before the dial is done: all bytes reach the application, then FIN", () => {
  const here = scene();
  const stream = here.peer.open(connectTo(`${SERVER}:8080`));
  // In one flight with the request, as of a client that does not wait for the answer.
  const peer = rawBytes(here.bed.host(PEER), at(`${SERVER}:15008`), here.bed.context(ID));
  const block = new Uint8Array(1000);
  const length = new HpackEncoder().encode(connectTo(`${SERVER}:8080`), block, 0);
  const headers = frame(FrameType.HEADERS, FLAG_END_HEADERS, 1, block.subarray(0, length));
  peer.send(concat([PREFACE, settings(), settingsAck(), headers, data(1, [...new Uint8Array(1000).fill(65)], true)]));
  here.bed.run();
  assert.match(here.server.accessLine, /bytes_sent=1000 bytes_recv=1000/);
  assert.ok(peer.text.includes("A".repeat(1000)));
  stream.stream.end();
  peer.close();
  here.peer.close();
  here.bed.run();
  here.bed.assertClean();
});
