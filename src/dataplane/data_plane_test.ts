/** Starting and stopping pods, and several of them in one network. */
import { strict as assert } from "node:assert";
import { question } from "../dns/testkit/dns_bed.ts";
import { NOTHING_HELD } from "../hbone/testkit/network.ts";
import { ListenError } from "../net/network.ts";
import { at, echo, Testbed } from "./testkit/testbed.ts";

const A = "10.0.0.1", B = "10.0.0.2", C = "10.0.0.3";

Deno.test("dataplane 1.1 3-4 listeners are bound to the configured ports, in order, and are logged", () => {
  const bed = new Testbed();
  const node = bed.node("a", A, { env: { UNSTABLE_ENABLE_SOCKS5: "true", IPV6_ENABLED: "false" } });
  assert.deepEqual(node.lines, [
    'info proxy::inbound listener established address=0.0.0.0:15008 component="inbound" transparent=true',
    'info proxy::inbound_passthrough listener established address=0.0.0.0:15006 component="inbound plaintext" transparent=true',
    'info proxy::outbound listener established address=0.0.0.0:15001 component="outbound" transparent=true',
    'info proxy::socks5 listener established address=127.0.0.1:15080 component="socks5" transparent=true',
  ]);
  assert.deepEqual(node.pod.address("outbound"), at("0.0.0.0:15001"));
  bed.assertClean();
});

Deno.test("inpod A2.2, config PACKET_MARK: in dedicated mode dialled sockets have the mark, listeners do not", () => {
  const bed = new Testbed();
  const host = bed.host(A);
  const marks = { listen: new Set<unknown>(), dial: new Set<unknown>(), questions: new Set<unknown>() };
  const { listen, dial, udp } = host;
  host.listen = (where, accept) => (marks.listen.add(where.mark), listen.call(host, where, accept));
  host.dial = (to, options, events) => (marks.dial.add(options.mark), dial.call(host, to, options, events));
  host.udp = (where, sink) => {
    (where.peer === undefined ? marks.listen : marks.questions).add(where.mark);
    return udp.call(host, where, sink);
  };
  bed.node("a", A, { env: { ISTIO_META_DNS_CAPTURE: "true" } });
  bed.connect(A, `${B}:8080`);
  host.udp({ address: at("127.0.0.1:0") }, { onDatagram() {} }).send(
    question("A", "www.example.com"),
    at("127.0.0.1:15053"),
  );
  bed.memory.advance(10);
  assert.deepEqual(marks, { listen: new Set([undefined]), dial: new Set([1337]), questions: new Set([1337]) });
});

for (const port of [15008, 15006, 15001]) {
  Deno.test(`dataplane SK-03 port ${port} is taken: the pod does not start, nothing is left`, () => {
    const bed = new Testbed();
    const host = bed.host(A);
    const taken = host.listen({ address: at(`[::]:${port}`) }, () => {});
    assert.throws(() => bed.node("a", A), (error) => {
      assert.ok(error instanceof ListenError);
      assert.equal(error.message, `failed to bind to address [::]:${port}: Address already in use (os error 98)`);
      return true;
    });
    taken.close();
    assert.deepEqual(host.held, NOTHING_HELD);
  });
}

Deno.test("dataplane 1.3 ENABLE_ORIG_SRC=true needs IP_TRANSPARENT; false does without", () => {
  const bed = new Testbed({ transparent: false });
  assert.throws(() => bed.node("a", A, { env: { ENABLE_ORIG_SRC: "true" } }), ListenError);
  const node = bed.node("b", B);
  assert.match(node.lines[0]!, /transparent=false$/);
  const apps = bed.listen(`${B}:8080`, echo);
  bed.connect(C, `${B}:8080`);
  bed.run();
  assert.equal(apps[0]!.duplex.remote.ip, B, "dialled from the pod's own address");
});

Deno.test("several nodes: each pair has its own connection, and clients do not share them", () => {
  const bed = new Testbed();
  for (const [name, ip] of [["a", A], ["b", B], ["c", C]] as const) {
    bed.node(name, ip);
    bed.listen(`${ip}:8080`, echo);
  }
  const pairs = [[A, B], [A, C], [B, A], [B, C], [C, A], [C, B], [A, B]] as const;
  const sockets = pairs.map(([from, to]) => bed.connect(from, `${to}:8080`).send(`${from} to ${to}`));
  bed.run();
  assert.deepEqual(sockets.map(({ text }) => text), pairs.map(([from, to]) => `${from} to ${to}`));
  // Two connections in and two out each, and one end of an application's connection.
  assert.deepEqual(bed.nodes.map(({ pod }) => pod.connectionCount), [2 + 2 + 3, 2 + 3 + 2, 2 + 2 + 2]);
  for (const socket of sockets) socket.end();
  bed.run();
  assert.deepEqual(bed.nodes.map(({ pod }) => pod.connectionCount), [2, 2, 2]);
  bed.assertClean();
});

Deno.test("a pod that calls its own address passes through its own proxy twice", () => {
  const bed = new Testbed();
  const node = bed.node("a", A);
  bed.listen(`${A}:8080`, echo);
  const socket = bed.connect(A, `${A}:8080`).send("me");
  bed.run();
  assert.equal(socket.text, "me");
  socket.end();
  bed.run();
  assert.equal(socket.fate, "fin");
  assert.deepEqual(node.access.map((line) => /direction="(\w+)"/.exec(line)![1]), ["inbound", "outbound"]);
  bed.assertClean();
});

for (const port of [15001, 15006, 15008]) {
  Deno.test(`dataplane MAL-8..10 a pod to its own address, port ${port}: connects, the exchange fails, no loop`, () => {
    const bed = new Testbed();
    const node = bed.node("a", A);
    const socket = bed.connect(A, `${A}:${port}`).send("hello world\r\n\r\n");
    bed.advance(11_000);
    assert.notEqual(socket.fate, "open");
    assert.equal(socket.count, 0);
    assert.ok(node.access.length <= 2, node.access.join("\n"));
    bed.assertClean();
  });
}

for (const port of [15001, 15006, 15008]) {
  Deno.test(`dataplane MAL-29..31 an uncaptured pod to a captured one, port ${port}: the exchange fails`, () => {
    const bed = new Testbed();
    const node = bed.node("a", A);
    const socket = bed.connect(B, `${A}:${port}`).send("hello world\r\n\r\n");
    bed.run();
    assert.notEqual(socket.fate, "open");
    assert.equal(socket.count, 0);
    assert.match(node.accessLine, /^warn connection failed /);
    bed.assertClean();
  });
}

Deno.test("after a renewal open tunnels continue, and new connections use the new certificate", () => {
  const bed = new Testbed();
  const a = bed.node("a", A);
  bed.node("b", B);
  bed.listen(`${B}:8080`, echo);
  const first = bed.connect(A, `${B}:8080`).send("1");
  bed.run();
  a.issueCertificate();
  bed.advance(61_000);
  const second = bed.connect(A, `${B}:8080`).send("2");
  first.send("3");
  bed.run();
  assert.deepEqual([first.text, second.text], ["13", "2"]);
  for (const socket of [first, second]) socket.end();
  bed.assertClean();
});

Deno.test("stopping one pod does not affect others; a drain without pods is done at once", () => {
  const bed = new Testbed();
  const node = bed.node("a", A);
  let stopped = false;
  node.plane.stopPod(node.pod, { kind: "immediate" }, () => stopped = true);
  assert.equal(stopped, true);
  node.drain();
  assert.equal(node.drained, true);
  assert.deepEqual(node.held, NOTHING_HELD);
});
