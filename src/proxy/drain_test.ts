/** Drains: graceful, to the deadline, immediate (`docs/spec/dataplane.md` 2.6, 5.4, 10.9). */
import { strict as assert } from "node:assert";
import { PORTION } from "../net/in_portions.ts";
import { assertSameBytes } from "../net/testkit/contract_kit.ts";
import { rawClient, rawServer } from "../hbone/testkit/peer.ts";
import { pattern } from "../h2/testkit/pair.ts";
import type { HeaderList } from "../h2/seam.ts";
import { ErrorCode } from "../h2/seam.ts";
import { MAX_STREAM_ID } from "../h2/frame.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { NOTHING_HELD } from "../hbone/testkit/network.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const PEER = "spiffe://cluster.local/ns/default/sa/peer";
const connectTo: HeaderList = [[":method", "CONNECT"], [":authority", `${SERVER}:8080`]];
const DRAINED = "connection closed due to connection drain";

interface Scene {
  readonly bed: Testbed;
  readonly client: TestNode;
  readonly server: TestNode;
  readonly socket: TestSocket;
  readonly apps: TestSocket[];
}

/** An open connection through two nodes. */
function scene(script: (app: TestSocket) => void = echo): Scene {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
  const apps = bed.listen(`${SERVER}:8080`, script);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  return { bed, client, server, socket, apps };
}

function components(node: TestNode, message: string): string[] {
  return node.lines.filter((line) => line.includes(message)).map((line) => /component="(.*)"/.exec(line)![1]!).sort();
}

function assertGone(...nodes: TestNode[]): void {
  for (const node of nodes) {
    assert.equal(node.drained, true, node.name);
    assert.deepEqual(node.held, NOTHING_HELD, node.name);
  }
}

for (const leaving of ["client", "server"] as const) {
  Deno.test(`dataplane SH-01 the ${leaving}'s node drains: an open connection continues until it ends`, () => {
    const here = scene();
    const { bed, socket } = here;
    const node = here[leaving];
    node.drain(60_000);
    bed.advance(50_000);
    assert.equal(node.drained, false);
    socket.send("still here");
    bed.run();
    assert.equal(socket.text, "still here");
    socket.end();
    bed.run();
    assert.equal(socket.fate, "fin");
    bed.advance(100);
    assertGone(node);
    assert.deepEqual(components(node, "shutdown complete"), ["inbound", "inbound passthrough", "outbound"]);
    assert.equal(components(node, "drain duration expired").length, 0);
    for (const line of node.access) assert.match(line, /^info /);
    bed.assertClean();
  });

  Deno.test(`dataplane SH-02 the ${leaving}'s node drains, the connection does not end and is cut at the deadline`, () => {
    const here = scene();
    const { bed, socket } = here;
    const node = here[leaving];
    node.drain(3000);
    bed.advance(2999);
    assert.equal(node.drained, false);
    assert.equal(socket.fate, "open");
    bed.advance(1);
    bed.advance(1);
    assertGone(node);
    assert.notEqual(socket.fate, "open");
    assert.ok(node.accessLine.startsWith("error ") && node.accessLine.endsWith(`error="${DRAINED}"`), node.accessLine);
    assert.deepEqual(node.traffic, { opened: 1, received: 0, sent: 0, closed: { "-": 1 }, failed: {} });
    const component = leaving === "client" ? "outbound" : "inbound";
    assert.deepEqual(components(node, "drain duration expired with pending connections"), [component]);
    const [list] = node.lines.filter((line) => line.includes("connections that are cut now"));
    assert.match(list!, new RegExp(`component="${component}" connections=1 services="[^"]+" ages="under 1m: 1" `));
    assert.match(list!, /oldest="10\.0\.0\.1:\d+->10\.0\.0\.2:(8080|15008) 3s"/);
    bed.assertClean();
  });

  Deno.test(`dataplane SH-04 the ${leaving}'s pod is removed: all connections end at once`, () => {
    const here = scene();
    const { bed, socket } = here;
    const node = here[leaving];
    node.stop();
    bed.run();
    assertGone(node);
    assert.notEqual(socket.fate, "open");
    assert.ok(node.accessLine.endsWith(`error="${DRAINED}"`), node.accessLine);
    bed.assertClean();
  });
}

Deno.test("dataplane SH-03 while a node drains, new connections are refused and the open one works", () => {
  const { bed, server, socket } = scene();
  server.drain(60_000);
  bed.run();
  const second = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  assert.notEqual(second.fate, "open");
  socket.send("x");
  bed.run();
  assert.equal(socket.text, "x");
  socket.end();
  bed.run();
  bed.assertClean();
});

Deno.test("the last bytes of the last connection are sent before a drain is done", () => {
  const { bed, client, socket, apps } = scene(() => {});
  client.drain(60_000);
  bed.run();
  apps[0]!.send("goodbye").end();
  bed.run();
  const last = pattern(50_000);
  socket.send(last).end();
  bed.run();
  assert.equal(socket.text, "goodbye");
  assertSameBytes(apps[0]!.bytes, last);
  assert.equal(apps[0]!.fate, "fin");
  bed.advance(100);
  assertGone(client);
  bed.assertClean();
});

Deno.test("dataplane 2.6 a draining server sends GOAWAY 2^31-1, after the PING that of the last stream; open streams continue", () => {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(PEER));
  const stream = peer.open(connectTo);
  bed.run();
  server.drain(60_000);
  bed.run();
  assert.deepEqual(peer.events.slice(-2), [`goaway ${MAX_STREAM_ID} 0`, "goaway 1 0"]);
  assert.equal(stream.failure, null);
  stream.stream.end();
  bed.run();
  assertGone(server);
});

Deno.test("a drain does not wait for a handshake in progress", () => {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  const silent = bed.connect(CLIENT, `${SERVER}:15008`);
  server.drain(60_000);
  bed.run();
  assert.notEqual(silent.fate, "open");
  assertGone(server);
});

Deno.test("a drain during the certificate request, the dial and the handshake of a tunnel: the tunnel opens, then ends", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT);
  bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  client.certificates = "hold";
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  client.drain(60_000);
  bed.run();
  client.issueCertificate();
  socket.send("x");
  bed.run();
  assert.equal(socket.text, "x");
  socket.end();
  bed.advance(100);
  assertGone(client);
  bed.assertClean();
});

Deno.test("a drain with a silent peer of the pool: idle connections do not delay it", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT);
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE" }));
  const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), bed.context(PEER.replace("peer", "server")));
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  // The server reads nothing from now on, while many bytes are in flight.
  peers[0]!.duplex.start({ onReadable() {}, onWritable() {}, onFailure() {} });
  socket.send(new Uint8Array(1_000_000));
  bed.run();
  client.drain(1000);
  bed.advance(1999);
  assert.equal(client.drained, false);
  bed.advance(1);
  assertGone(client);
});

Deno.test("an immediate drain ends a graceful one; both are called back", () => {
  const { bed, server } = scene();
  let calls = 0;
  server.pod.drain({ kind: "graceful", deadline: 60_000 }, () => calls++);
  bed.run();
  server.pod.drain({ kind: "immediate" }, () => calls++);
  bed.run();
  assert.equal(calls, 2);
  server.pod.drain({ kind: "immediate" }, () => calls++);
  assert.equal(calls, 3, "after the end: at once");
  bed.assertClean();
});

Deno.test("an immediate drain of the whole node ends a graceful one: connections are cut, the end is reported once", () => {
  const { bed, server, socket } = scene();
  let calls = 0;
  server.plane.drain({ kind: "graceful", deadline: 60_000 }, () => calls++);
  bed.run();
  assert.deepEqual([calls, socket.fate], [0, "open"]);
  server.plane.drain({ kind: "immediate" }, () => calls++);
  bed.run();
  assert.equal(calls, 1);
  assert.notEqual(socket.fate, "open");
  assert.ok(server.accessLine.endsWith(`error="${DRAINED}"`), server.accessLine);
  server.plane.drain({ kind: "immediate" }, () => calls++);
  assert.equal(calls, 1);
});

Deno.test("many connections end in portions, one per turn, with and without GOAWAY before; each is logged", () => {
  for (const first of ["graceful", "immediate"] as const) {
    const { bed, client, server } = scene();
    for (let i = 0; i < 99; i++) bed.connect(CLIENT, `${SERVER}:8080`);
    bed.run();
    // 100 streams over one connection.
    assert.equal(server.pod.connectionCount, 101);
    let calls = 0;
    if (first === "graceful") server.pod.drain({ kind: "graceful", deadline: 60_000 }, () => calls++);
    bed.run();
    server.pod.drain({ kind: "immediate" }, () => calls++);
    let largest = 0;
    while (bed.memory.busy) {
      const before = server.pod.connectionCount;
      bed.memory.step();
      largest = Math.max(largest, before - server.pod.connectionCount);
    }
    assert.ok(largest > 0 && largest <= PORTION, `${largest} in one turn`);
    assert.equal(server.pod.connectionCount, 0);
    assert.equal(calls, first === "graceful" ? 2 : 1);
    assert.equal(server.lines.filter((line) => line.includes(DRAINED)).length, 100);
    client.drain();
    bed.assertClean();
  }
});

Deno.test("after a peer's GOAWAY open tunnels continue, and the next one uses a new connection", () => {
  const bed = new Testbed();
  bed.node("client", CLIENT);
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE" }));
  const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), bed.context(PEER.replace("peer", "server")));
  const first = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  peers[0]!.h2.drain(bed.memory.now());
  bed.run();
  const second = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  assert.equal(peers.length, 2);
  assert.equal(first.fate, "open");
  peers[0]!.streams[0]!.stream.end();
  first.end();
  bed.run();
  assert.equal(first.fate, "fin");
  assert.notEqual(peers[0]!.end, null, "ended with its last stream");
  peers[1]!.streams[0]!.stream.reset(ErrorCode.NO_ERROR);
  bed.run();
  assert.equal(second.fate, "reset");
  bed.assertClean();
});
