/** How connections end, whichever side ends them (`docs/spec/dataplane.md` 2.6, 4, 10.6; observed.md O13). */
import { strict as assert } from "node:assert";
import { assertSameBytes } from "../net/testkit/contract_kit.ts";
import { rawClient, type RawPeer, rawServer } from "../hbone/testkit/peer.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";
import { pattern, sendAll, type StreamLog } from "../h2/testkit/pair.ts";
import { ErrorCode } from "../h2/seam.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const SERVER_ID = "spiffe://cluster.local/ns/default/sa/server";

interface Through {
  readonly bed: Testbed;
  readonly nodes: TestNode[];
  readonly client: TestSocket;
  readonly app: TestSocket;
}

/** A connection through `path`, with both ends. */
const PATHS = {
  HBONE(bed: Testbed) {
    bed.node("client", CLIENT);
    bed.node("server", SERVER);
  },
  "plain outbound"(bed: Testbed) {
    bed.node("client", CLIENT);
    bed.apply(workloadAt("server", SERVER, { protocol: "TCP" }));
  },
  "plain inbound"(bed: Testbed) {
    bed.node("server", SERVER);
  },
} as const;
type Path = keyof typeof PATHS;
const ALL = Object.keys(PATHS) as Path[];

function through(path: Path): Through {
  const bed = new Testbed();
  PATHS[path](bed);
  const apps = bed.listen(`${SERVER}:8080`);
  const client = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  return { bed, nodes: bed.nodes, client, app: apps[0]! };
}

function assertSuccess({ bed, nodes }: Through, up: number, down: number): void {
  for (const node of nodes) {
    assert.match(node.accessLine, /^info connection complete .* duration="\d+ms"$/);
    assert.deepEqual(node.traffic, { opened: 1, received: up, sent: down, closed: { "-": 1 }, failed: {} });
  }
  bed.assertClean();
}

for (const path of ALL) {
  Deno.test(`dataplane CP-06 ${path}: the client ends first, the server continues`, () => {
    const here = through(path);
    const { bed, client, app } = here;
    client.send("request").end();
    bed.run();
    assert.equal(app.text, "request");
    assert.equal(app.fate, "fin");
    assert.equal(client.fate, "open");
    app.send("late answer");
    bed.advance(60_000);
    assert.equal(client.text, "late answer");
    assert.deepEqual(here.nodes.flatMap((node) => node.access), [], "recorded when both have ended");
    app.end();
    bed.run();
    assert.equal(client.fate, "fin");
    assertSuccess(here, 7, 11);
  });

  Deno.test(`dataplane 4: ${path}: the server ends first, the client continues`, () => {
    const here = through(path);
    const { bed, client, app } = here;
    app.send("greeting").end();
    bed.run();
    assert.equal(client.text, "greeting");
    assert.equal(client.fate, "fin");
    client.send("all the rest");
    bed.advance(60_000);
    assert.equal(app.text, "all the rest");
    client.end();
    bed.run();
    assert.equal(app.fate, "fin");
    assertSuccess(here, 12, 8);
  });

  Deno.test(`dataplane 4: ${path}: both end at once`, () => {
    const here = through(path);
    here.client.send("a").end();
    here.app.send("b").end();
    here.bed.run();
    assert.deepEqual([here.client.text, here.client.fate, here.app.text, here.app.fate], ["b", "fin", "a", "fin"]);
    assertSuccess(here, 1, 1);
  });

  Deno.test(`dataplane CP-03 ${path}: the server's RST reaches the client as RST; the record is a success`, () => {
    // Upstream turns it into a half-close; we pass it on as RST_STREAM(CONNECT_ERROR) (RFC 9113 §8.5).
    const here = through(path);
    here.client.send("request");
    here.bed.run();
    here.app.reset();
    here.bed.run();
    assert.equal(here.client.fate, "reset");
    assertSuccess(here, 7, 0);
  });

  Deno.test(`dataplane CP-03 ${path}: the client's RST reaches the server as RST; the record is a success`, () => {
    const here = through(path);
    here.app.send("answer");
    here.bed.run();
    here.client.reset();
    here.bed.run();
    assert.equal(here.app.fate, "reset");
    assertSuccess(here, 0, 6);
  });

  Deno.test(`${path}: an application that closes as soon as it is connected`, () => {
    const bed = new Testbed();
    PATHS[path](bed);
    bed.listen(`${SERVER}:8080`, (app) => app.close());
    const client = bed.connect(CLIENT, `${SERVER}:8080`);
    bed.run();
    assert.equal(client.fate, "fin");
    client.end();
    bed.run();
    assertSuccess({ bed, nodes: bed.nodes, client, app: client }, 0, 0);
  });

  Deno.test(`${path}: a client that closes as soon as it is connected`, () => {
    const bed = new Testbed();
    PATHS[path](bed);
    const apps = bed.listen(`${SERVER}:8080`, echo);
    const client = bed.startConnecting(CLIENT, `${SERVER}:8080`);
    bed.memory.step();
    bed.memory.step();
    client().end();
    bed.run();
    assert.equal(client().fate, "fin");
    assert.equal(apps[0]!.fate, "fin");
    assertSuccess({ bed, nodes: bed.nodes, client: client(), app: apps[0]! }, 0, 0);
  });
}

// Endings that a scripted HBONE peer causes.

interface ToPeer {
  readonly bed: Testbed;
  readonly node: TestNode;
  readonly client: TestSocket;
  readonly peer: RawPeer;
  readonly stream: StreamLog;
}

/** The client's proxy, with a tunnel to a scripted server. */
function toPeer(reading = true): ToPeer {
  const bed = new Testbed();
  const node = bed.node("client", CLIENT);
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE" }));
  const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), bed.context(SERVER_ID));
  const client = bed.connect(CLIENT, `${SERVER}:8080`, reading);
  bed.run();
  const peer = peers[0]!;
  return { bed, node, client, peer, stream: peer.streams[0]! };
}

const PEER_RESETS = [
  { code: ErrorCode.NO_ERROR, fate: "reset", flag: "-", error: "" },
  {
    code: ErrorCode.CANCEL,
    fate: "reset",
    flag: "CONNECT",
    error: "while closing connection: send: io error: broken pipe",
  },
  { code: ErrorCode.CONNECT_ERROR, fate: "reset", flag: "-", error: "" },
  {
    code: ErrorCode.REFUSED_STREAM,
    fate: "reset",
    flag: "CONNECT",
    error: "receive: io error: stream error received: refused stream before processing any application logic",
  },
  {
    code: ErrorCode.INTERNAL_ERROR,
    fate: "reset",
    flag: "CONNECT",
    error: "receive: io error: stream error received: unexpected internal error encountered",
  },
] as const;

for (const { code, fate, flag, error } of PEER_RESETS) {
  Deno.test(`dataplane CP-04 CP-05 O13 the server resets with ${ErrorCode[code]}: the client sees ${fate}`, () => {
    const { bed, node, client, stream } = toPeer();
    sendAll(stream, new TextEncoder().encode("part"), false);
    bed.run();
    stream.stream.reset(code);
    bed.run();
    assert.equal(client.text, "part");
    assert.equal(client.fate, fate);
    const failed = flag === "-" ? {} : { [flag]: 1 };
    assert.deepEqual(node.traffic, { opened: 1, received: 0, sent: 4, closed: { [flag]: 1 }, failed });
    assert.ok(node.accessLine.includes(error === "" ? 'duration="0ms"' : `error="${error}"`), node.accessLine);
    bed.assertClean();
  });
}

for (const code of [ErrorCode.NO_ERROR, ErrorCode.CANCEL]) {
  Deno.test(`dataplane CP-04 the server resets with ${ErrorCode[code]} behind its END_STREAM: the client sees FIN`, () => {
    const { bed, client, stream } = toPeer();
    sendAll(stream, new TextEncoder().encode("all"), true);
    stream.stream.reset(code);
    bed.run();
    assert.equal(client.text, "all");
    assert.equal(client.fate, "fin");
    bed.assertClean();
  });
}

Deno.test("dataplane 4: the server's connection breaks: the client sees RST, the line has the reason", () => {
  const { bed, node, client, peer } = toPeer();
  peer.close(true);
  bed.run();
  assert.equal(client.fate, "reset");
  assert.match(
    node.accessLine,
    /^error .* error="while closing connection: send: io error: stream closed because of a /,
  );
  bed.assertClean();
});

Deno.test("dataplane CP-03 on the wire: the client's RST is RST_STREAM(CONNECT_ERROR)", () => {
  const { bed, client, stream } = toPeer();
  client.reset();
  bed.run();
  assert.deepEqual(stream.events, [`reset peer ${ErrorCode.CONNECT_ERROR}`]);
  bed.assertClean();
});

Deno.test("a complete answer after which the request is refused (NO_ERROR) reaches a slow client whole", () => {
  const { bed, node, client, stream } = toPeer(false);
  const body = pattern(300_000);
  sendAll(stream, body);
  bed.run();
  stream.stream.reset(ErrorCode.NO_ERROR);
  bed.run();
  assert.equal(client.fate, "open");
  client.goOnReading();
  bed.run();
  assertSameBytes(client.bytes, body);
  assert.equal(client.fate, "fin");
  assert.equal(node.traffic.sent, body.length);
  assert.match(node.accessLine, /^info /);
  bed.assertClean();
});

Deno.test("a server that has answered in full and resets: a slow client gets all of the answer", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
  const body = pattern(300_000);
  const apps = bed.listen(`${SERVER}:8080`, (app) => void app.send(body).end());
  const socket = bed.connect(CLIENT, `${SERVER}:8080`, false);
  bed.run();
  assert.equal(apps[0]!.unsent, 0);
  apps[0]!.reset();
  bed.run();
  socket.goOnReading();
  bed.run();
  assertSameBytes(socket.bytes, body);
  assert.equal(socket.fate, "fin");
  for (const node of [client, server]) assert.match(node.accessLine, /^info /);
  bed.assertClean();
});

Deno.test("an answer that is cut while a slow client has not read all of it: RST, not a clean end", () => {
  const { bed, client, stream } = toPeer(false);
  sendAll(stream, pattern(300_000), false);
  bed.run();
  stream.stream.reset(ErrorCode.CANCEL);
  bed.run();
  client.goOnReading();
  bed.run();
  assert.equal(client.fate, "reset");
  bed.assertClean();
});

Deno.test("observed O28 the peer stops answering while the application does not read: the application's connection ends", () => {
  const bed = new Testbed();
  const node = bed.node("server", SERVER);
  const apps = bed.listen(`${SERVER}:8080`, () => {}, false);
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), bed.context(SERVER_ID.replace("server", "peer")));
  const stream = peer.open([[":method", "CONNECT"], [":authority", `${SERVER}:8080`]]);
  bed.run();
  sendAll(stream, pattern(300_000), false);
  bed.run();
  peer.close(true);
  bed.run();
  apps[0]!.goOnReading();
  bed.run();
  assert.equal(apps[0]!.fate, "reset");
  assert.equal(node.pod.connectionCount, 0);
  bed.assertClean();
});
