/** What an operator sees of one connection with `RUST_LOG=debug`, in the logs of both proxies. */
import { strict as assert } from "node:assert";
import { at, echo, type NodeOptions, Testbed, type TestNode, workloadAt } from "../dataplane/testkit/testbed.ts";
import { goAway } from "../h2/testkit/frames.ts";
import { type RawPeer, rawServer } from "../hbone/testkit/peer.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const CLIENT_ID = "spiffe://cluster.local/ns/default/sa/client", SERVER_ID = CLIENT_ID.replace("client", "server");

/** The lines of the connection with this id: target, message and fields, without times, ports of clients and spans. */
function linesOf({ lines }: TestNode, id: string): string[] {
  return lines.filter((line) => line.includes(id)).map((line) =>
    line.replace(/:\w+\{id=\S+( peer=\S+)?\}/, "").replace(/dur=\d+ms/, "dur=TIME").replace(/^debug /, "")
      .replace(/(10\.0\.0\.1):\d{5}/g, "$1:PORT")
  );
}

function idIn({ lines }: TestNode): string {
  const started = lines.filter((line) => line.includes("connection started"));
  return /outbound\{id=([0-9a-f]{32})\}/.exec(started.at(-1)!)![1]!;
}

Deno.test("config-admin 6.8: one connection is followed by its id from accept to end in both debug logs", () => {
  const bed = new Testbed(), options: NodeOptions = { logFilter: "debug" };
  const client = bed.node("client", CLIENT, options), server = bed.node("server", SERVER, options);
  bed.listen(`${SERVER}:8080`, echo);
  // The first connection makes the HBONE connection that the second one uses.
  bed.connect(CLIENT, `${SERVER}:8080`).end();
  bed.run();
  const first = idIn(client);
  const socket = bed.connect(CLIENT, `${SERVER}:8080`).send("hello");
  bed.run();
  assert.equal(socket.text, "hello");
  socket.end();
  bed.run();
  const second = idIn(client);
  const route = [
    `state Kubernetes//Pod/default/server has ${SERVER} rule="upstream.workload"`,
    'state HBONE to Kubernetes//Pod/default/server rule="outbound.direct"',
    `proxy::outbound built request to workload protocol="HBONE" actual=${SERVER}:15008 hbone="${SERVER}:8080"`,
  ];
  const end = 'dur=TIME ended.by="client" ended.how="fin" ended.phase="half-closed"';
  const outbound = (placed: string) => [
    'proxy::outbound connection started component="outbound"',
    ...route,
    `proxy::pool ${placed} ${SERVER}:15008`,
    "proxy::outbound tunnel established connection=1",
    `proxy::outbound connection completed component="outbound" ${end}`,
  ];
  assert.deepEqual(linesOf(client, first), outbound("waiting for a connection for"));
  assert.deepEqual(linesOf(client, second), outbound("re-using connection for"));
  const inbound = [
    `proxy::inbound received request method="CONNECT" authority="${SERVER}:8080" identity="${CLIENT_ID}" connection=1`,
    'state the application\'s port is 8080 rule="inbound.destination"',
    "state no allow policies, allow",
    `proxy::inbound connected to: ${SERVER}:8080`,
    `proxy::inbound connection completed component="inbound" ${end}`,
  ];
  assert.deepEqual(linesOf(server, first), inbound);
  assert.deepEqual(linesOf(server, second), inbound);
  bed.assertClean();
});

Deno.test("with the default filter a connection writes its access line and nothing else", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
  bed.listen(`${SERVER}:8080`, echo);
  const before = [client, server].map(({ lines }) => lines.length);
  bed.connect(CLIENT, `${SERVER}:8080`).end();
  bed.run();
  assert.deepEqual([client, server].map(({ lines }, i) => lines.length - before[i]!), [1, 1]);
  bed.assertClean();
});

/** The lines about the HBONE connection of a client whose server is scripted. */
function poolLines(end: (bed: Testbed, peer: RawPeer) => void): string[] {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT, { logFilter: "debug", env: { POOL_UNUSED_RELEASE_TIMEOUT: "60s" } });
  bed.apply(workloadAt("server", SERVER, { protocol: "HBONE" }));
  const { peers } = rawServer(bed.host(SERVER), at(`${SERVER}:15008`), bed.context(SERVER_ID), { pingInterval: 1e9 });
  const socket = bed.connect(CLIENT, `${SERVER}:8080`);
  bed.run();
  socket.reset();
  bed.run();
  end(bed, peers[0]!);
  bed.run();
  const lines = client.lines.filter((line) => line.includes("HBONE connection ended"));
  return lines.map((line) => line.replace(` peer=${SERVER}:15008 identity="${SERVER_ID}" connection=1`, ""));
}

const ENDS: Readonly<Record<string, [end: (bed: Testbed, peer: RawPeer) => void, line: string]>> = {
  "it is not used": [
    (bed) => bed.advance(60_000),
    "debug proxy::h2::client HBONE connection ended: drained unused=60000ms",
  ],
  "the peer drains": [
    (_, peer) => void peer.duplex.write(goAway(1)),
    "debug proxy::h2::client HBONE connection ended: not a result of an error unused=0ms",
  ],
  "the peer ends it with an error": [
    (_, peer) => void peer.duplex.write(goAway(1, 11)),
    "warn proxy::h2::client HBONE connection ended: detected excessive load generating behavior",
  ],
  "it breaks": [
    (_, peer) => peer.close(true),
    "debug proxy::h2::client HBONE connection ended: Connection reset by peer (os error 104) unused=0ms",
  ],
  "the peer does not answer a PING": [
    (bed, peer) => {
      peer.duplex.start({ onReadable() {}, onWritable() {}, onFailure() {} });
      bed.advance(59_000);
    },
    "warn proxy::h2::client HBONE connection ended: ping timeout after 35000 ms",
  ],
};
for (const [what, [end, line]] of Object.entries(ENDS)) {
  Deno.test(`config-admin 6.7: the end of a pooled connection: ${what}`, () => {
    assert.deepEqual(poolLines(end), [line]);
  });
}

Deno.test("config-admin 6.7: a workload that does not come in time", () => {
  const bed = new Testbed();
  const client = bed.node("client", CLIENT, { workload: null, logFilter: "debug" });
  bed.connect(CLIENT, `${SERVER}:8080`);
  bed.advance(5000);
  const [waits, warning] = linesOf(client, idIn(client)).filter((line) => line.includes("workload"));
  assert.equal(waits, "state wait for workload wl=client.default (client)");
  assert.equal(warning, "warn state timed out waiting for workload 'client.default (client)' from xds");
});

Deno.test("dataplane 1.2: a connection to the outbound port that was not redirected", () => {
  const bed = new Testbed();
  const node = bed.node("client", CLIENT, { env: { ENABLE_ORIG_SRC: "false" } });
  bed.connect(CLIENT, "127.0.0.1:15001");
  const line = node.lines.find((found) => found.includes("SO_ORIGINAL_DST"));
  assert.match(
    line!,
    /^warn socket failed to read SO_ORIGINAL_DST: the connection was not redirected by iptables peer=\S+ local=\S+:15001$/,
  );
});
