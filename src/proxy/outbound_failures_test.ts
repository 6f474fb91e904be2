/** Outbound connections that fail: what the client sees, one line, and nothing is leaked (dataplane 1.4, 3, 9). */
import { strict as assert } from "node:assert";
import { type RawPeer, rawServer } from "../hbone/testkit/peer.ts";
import type { H2Options } from "../h2/seam.ts";
import { ErrorCode } from "../h2/seam.ts";
import { TestSocket } from "../hbone/testkit/socket.ts";
import { namespacedHostname } from "../mesh/model/model.ts";
import { at, echo, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const SERVER_ID = "spiffe://cluster.local/ns/default/sa/server";

interface Scene {
  readonly bed: Testbed;
  readonly node: TestNode;
}

/** A client's node, and a server in the mesh that does not run yet. */
function scene(): Scene {
  const bed = new Testbed();
  const node = bed.node("client", CLIENT);
  bed.host(SERVER);
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE" }));
  return { bed, node };
}

/** A server whose HTTP/2 is scripted. */
function serve({ bed }: Scene, prepare: (peer: RawPeer) => void, options: Partial<H2Options> = {}): RawPeer[] {
  return rawServer(bed.host(SERVER), at(`${SERVER}:15008`), bed.context(SERVER_ID), options, prepare).peers;
}

function start({ bed }: Scene, to = `${SERVER}:8080`): TestSocket {
  const client = bed.connect(CLIENT, to);
  client.send("early");
  bed.run();
  return client;
}

/** Expects a failure after `ms` and not before. */
function failsAfter({ bed }: Scene, client: TestSocket, ms: number): void {
  bed.advance(ms - 1);
  assert.equal(client.fate, "open");
  bed.advance(1);
  assert.notEqual(client.fate, "open");
}

function assertFailed({ bed, node }: Scene, client: TestSocket, flag: string, error: string | RegExp): void {
  assert.notEqual(client.fate, "open");
  assert.equal(client.count, 0, "nothing comes from a peer that was not reached");
  const [, line] = /^error connection complete .* bytes_sent=0 bytes_recv=0 duration="\d+ms" error="(.*)"$/.exec(
    node.accessLine,
  ) ?? assert.fail(node.accessLine);
  if (typeof error === "string") assert.equal(line, error);
  else assert.match(line!, error);
  assert.deepEqual(node.traffic, { opened: 1, received: 0, sent: 0, closed: { [flag]: 1 }, failed: { [flag]: 1 } });
  bed.assertClean();
}

function assertRefused({ bed, node }: Scene, client: TestSocket, error: string): void {
  assert.notEqual(client.fate, "open");
  const shown = node.accessLine;
  assert.match(shown, /^warn connection failed src\.addr=\S+ dst\.addr=\S+ direction="outbound" error=/);
  assert.ok(shown.endsWith(`error="${error}"`), shown);
  assert.deepEqual(node.series, [], "refused before it was counted");
  bed.assertClean();
}

Deno.test("dataplane OB-28 a call over loopback to the proxy itself", () => {
  const here = scene();
  const client = here.bed.connect(CLIENT, "127.0.0.1:15001");
  assertRefused(here, client, "attempted recursive call to ourselves");
});

Deno.test("dataplane 1.5 a call to the proxy by an address that is not in the mesh does not loop", () => {
  const here = scene();
  const { memory } = here.bed, { namespace } = here.node.host;
  const secret = at("10.9.9.9:15001");
  memory.assign(namespace, secret.ip);
  const outcome: TestSocket[] = [];
  // Redirection does not capture connections to the pod's own address.
  memory.dial(secret, { namespace, mark: 1337 }, {
    onConnect: (duplex) => void outcome.push(new TestSocket(memory, duplex)),
    onDialFailure: ({ message }) => assert.fail(message),
  });
  here.bed.run();
  assertRefused(here, outcome[0]!, "attempted recursive call to ourselves");
});

Deno.test("dataplane OB-29 the local workload is unknown for 5 s", () => {
  const bed = new Testbed();
  const node = bed.node("client", CLIENT, { workload: null });
  const client = start({ bed, node });
  failsAfter({ bed, node }, client, 5000);
  assertRefused({ bed, node }, client, "failed to fetch information about local workload: client.default (client)");
});

Deno.test("dataplane SEL-16 the local workload arrives in time", () => {
  const bed = new Testbed();
  bed.node("client", CLIENT, { workload: null });
  bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  const client = start({ bed, node: bed.nodes[0]! });
  bed.advance(100);
  bed.apply(workloadAt("other", "10.0.0.9"));
  bed.run();
  assert.equal(client.text, "");
  bed.apply(workloadAt("client", CLIENT, { protocol: "HBONE" }));
  bed.run();
  assert.equal(client.text, "early");
  client.end();
  bed.assertClean();
});

Deno.test("dataplane OB-30 a waypoint that is not in the mesh", () => {
  const here = scene();
  const waypoint = {
    kind: "hostname",
    key: namespacedHostname("default", "waypoint.example"),
    namespace: "default",
    hostname: "waypoint.example",
    hboneMtlsPort: 15008,
  } as const;
  here.bed.apply(workloadAt("server", SERVER, { protocol: "HBONE", waypoint }));
  assertRefused(here, start(here), "unknown waypoint: waypoint waypoint.example not found");
});

Deno.test("dataplane 1.4: plain TCP to an address without a listener", () => {
  const here = scene();
  assertFailed(here, start(here, "192.0.2.1:80"), "CONNECT", "io error: Connection refused (os error 111)");
});

Deno.test("dataplane 0: plain TCP without an answer fails after CONNECT_TIMEOUT", () => {
  const here = scene();
  here.bed.memory.blackhole(at("192.0.2.1:80"));
  const client = start(here, "192.0.2.1:80");
  failsAfter(here, client, 30_000);
  assertFailed(here, client, "CONNECT", "io error: deadline has elapsed");
});

Deno.test("dataplane 3: HBONE refused", () => {
  const here = scene();
  assertFailed(here, start(here), "CONNECT", "io error: Connection refused (os error 111)");
});

Deno.test("dataplane 3: HBONE without an answer hints at a NetworkPolicy", () => {
  const here = scene();
  here.bed.memory.blackhole(at(`${SERVER}:15008`));
  const client = start(here);
  failsAfter(here, client, 30_000);
  const hint = "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed";
  assertFailed(here, client, "NETWORK_POLICY", hint);
});

Deno.test("a connection that begins while the network is down is made as soon as it is back, HBONE and plain", () => {
  const here = scene();
  const { bed, node } = here;
  const addresses = [at(`${SERVER}:15008`), at("192.0.2.1:80")];
  bed.host("192.0.2.1");
  bed.listen("192.0.2.1:80", echo);
  serve(here, () => {});
  for (const address of addresses) bed.memory.blackhole(address);
  const clients = [start(here), start(here, "192.0.2.1:80")];
  bed.advance(20_000);
  assert.deepEqual(clients.map(({ fate }) => fate), ["open", "open"]);
  for (const address of addresses) bed.memory.restore(address);
  bed.advance(5000);
  assert.equal(clients[1]!.text, "early");
  for (const client of clients) client.reset();
  bed.run();
  assert.deepEqual(node.access.map((line) => line.slice(0, 24)), Array(2).fill("info connection complete"));
});

Deno.test("a peer that vanishes: open connections are reset when nothing was received for 45 s, and nothing is left", () => {
  const here = scene();
  const { bed, node } = here;
  const peers = serve(here, () => {}, { pingInterval: Infinity });
  const clients = [start(here), start(here)];
  assert.deepEqual(clients.map(({ fate }) => fate), ["open", "open"]);
  peers[0]!.duplex.start({ onReadable() {}, onWritable() {}, onFailure() {} });
  // The PING is sent after 8.5 to 11.5 s, and its timeout is 35 s.
  bed.advance(43_499);
  assert.deepEqual(clients.map(({ fate }) => fate), ["open", "open"]);
  bed.advance(3001);
  assert.deepEqual(clients.map(({ fate }) => fate), ["reset", "reset"]);
  for (const line of node.access) assert.match(line, /ping timeout after 35000 ms/);
  bed.assertClean();
});

Deno.test("dataplane 9: no certificate of our own", () => {
  const here = scene();
  here.node.certificates = "refuse";
  assertFailed(here, start(here), "IDENTITY_ERROR", "identity error: the CA is not there");
});

Deno.test("identity S26: without a certificate nothing is sent, also not in plain text", () => {
  const here = scene();
  here.node.certificates = "refuse";
  const { namespace } = here.bed.host(SERVER);
  const arrived: number[] = [];
  for (const port of [8080, 15008]) {
    here.bed.memory.listen({ address: at(`${SERVER}:${port}`), namespace }, () => void arrived.push(port));
  }
  assertFailed(here, start(here), "IDENTITY_ERROR", "identity error: the CA is not there");
  here.bed.advance(60_000);
  assert.deepEqual(arrived, []);
});

Deno.test("dataplane 9: a certificate that does not arrive within 10 s", () => {
  const here = scene();
  here.node.certificates = "hold";
  const client = start(here);
  failsAfter(here, client, 10_000);
  const error = "identity error: no certificate for spiffe://cluster.local/ns/default/sa/client within 10 s";
  assertFailed(here, client, "IDENTITY_ERROR", error);
});

Deno.test("dataplane 2.1: a server with another identity gets no CONNECT", () => {
  const here = scene();
  const { bed } = here;
  const context = bed.context("spiffe://cluster.local/ns/default/sa/other");
  const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), context);
  const error = "io error: identity verification error: peer did not present the expected SAN " +
    `(${SERVER_ID}), got spiffe://cluster.local/ns/default/sa/other`;
  assertFailed(here, start(here), "CONNECT", error);
  assert.deepEqual(peers, []);
});

Deno.test("observed O31: a server that accepts TCP and sends nothing: failure after 10 s", () => {
  const here = scene();
  here.bed.memory.listen({ address: at(`${SERVER}:15008`), namespace: here.bed.host(SERVER).namespace }, () => {});
  const client = start(here);
  failsAfter(here, client, 10_000);
  assertFailed(here, client, "CONNECT", "io error: TLS handshake timed out");
});

Deno.test("observed O31: a server without HTTP/2 SETTINGS: failure after 10 s", () => {
  const here = scene();
  const { bed } = here;
  const host = bed.host(SERVER);
  host.listen({ address: at(`${SERVER}:15008`) }, ({ duplex }) => {
    host.secure(duplex, bed.context(SERVER_ID), "server", 10_000, { onSecure() {}, onSecureFailure() {} });
  });
  const client = start(here);
  failsAfter(here, client, 10_000);
  const error = "h2 failed: stream error detected: no preface and SETTINGS within 10000 ms";
  assertFailed(here, client, "H2_HANDSHAKE_FAILURE", error);
});

Deno.test("observed O31: a server that does not answer the CONNECT: failure after 10 s, and the stream is reset", () => {
  const here = scene();
  const peers = serve(here, (peer) => peer.answer = () => {});
  const client = start(here);
  failsAfter(here, client, 10_000);
  assert.deepEqual(peers[0]!.streams[0]!.events, [`reset peer ${ErrorCode.CANCEL}`]);
  assertFailed(here, client, "CONNECT", "io error: the peer did not answer the CONNECT in time");
});

for (
  const [status, text] of [["400", "Bad Request"], ["401", "Unauthorized"], ["503", "Service Unavailable"]] as const
) {
  Deno.test(`dataplane 9: a server that answers ${status}`, () => {
    const here = scene();
    serve(here, (peer) => {
      peer.answer = ({ stream }) => {
        stream.respond([[":status", status]], true);
        stream.reset(ErrorCode.NO_ERROR);
      };
    });
    assertFailed(here, start(here), "CONNECT", `http status: ${status} ${text}`);
    // It was sent over TLS.
    const [flow] = here.node.plane.flows.past();
    assert.deepEqual([flow?.tls?.version, flow?.carrier], ["TLSv1.3", 1]);
  });
}

Deno.test("dataplane 9: a server that refuses the stream", () => {
  const here = scene();
  serve(here, (peer) => peer.answer = ({ stream }) => stream.reset(ErrorCode.REFUSED_STREAM));
  const error = "h2 failed: stream error received: refused stream before processing any application logic";
  assertFailed(here, start(here), "H2_HANDSHAKE_FAILURE", error);
});

Deno.test("a server that ends the connection before it answers", () => {
  const here = scene();
  serve(here, (peer) => peer.answer = () => peer.close());
  const error = "h2 failed: stream closed because of a broken pipe: the peer closed the connection";
  assertFailed(here, start(here), "H2_HANDSHAKE_FAILURE", error);
});

Deno.test("a server that closes in place of its SETTINGS (certificate refused after our handshake)", () => {
  const here = scene();
  const { bed } = here;
  const host = bed.host(SERVER);
  host.listen({ address: at(`${SERVER}:15008`) }, ({ duplex }) => {
    host.secure(duplex, bed.context(SERVER_ID), "server", 10_000, {
      accept: () => ({ code: "NO", message: "not you" }),
      onSecure() {},
      onSecureFailure() {},
    });
  });
  assertFailed(here, start(here), "H2_HANDSHAKE_FAILURE", /^h2 failed: stream closed because of a broken pipe: /);
});

Deno.test("a server whose bytes are no HTTP/2", () => {
  const here = scene();
  const { bed } = here;
  const host = bed.host(SERVER);
  host.listen({ address: at(`${SERVER}:15008`) }, ({ duplex }) => {
    host.secure(duplex, bed.context(SERVER_ID), "server", 10_000, {
      onSecure: (secured) => void secured.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n")),
      onSecureFailure() {},
    });
  });
  assertFailed(here, start(here), "H2_HANDSHAKE_FAILURE", /^h2 failed: stream error detected: /);
});
