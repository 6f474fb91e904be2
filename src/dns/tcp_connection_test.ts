import { strict as assert } from "node:assert";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { newDnsShared } from "./dns_proxy.ts";
import { framed } from "./frames.ts";
import { answered, Bed, decode, encode, question } from "./testkit/dns_bed.ts";

function ids(received: readonly Uint8Array[]): number[] {
  return received.map((bytes) => decode(bytes).id);
}

Deno.test("TCP: several messages in one segment are answered one after the other, in order", () => {
  const bed = new Bed();
  const client = bed.tcpClient();
  const messages = Array.from(
    { length: 40 },
    (_, i) => framed(question("A", i % 2 ? "www.google.com" : "www.bing.com", { id: i })),
  );
  client.duplex.write(new Uint8Array(messages.flatMap((bytes) => [...bytes])));
  bed.network.runUntilIdle();
  assert.deepEqual(ids(client.received), messages.map((_, i) => i));
  client.close();
});

Deno.test("TCP: a message in single bytes is answered if it is complete within 5 s", () => {
  const bed = new Bed();
  const client = bed.tcpClient();
  for (const byte of framed(question("A", "www.google.com"))) {
    client.duplex.write(Uint8Array.of(byte));
    bed.network.advance(50);
  }
  assert.deepEqual(ids(client.received), [4711]);
});

Deno.test("TCP: an invalid frame of 64 KB in single bytes uses no more memory than its bytes", () => {
  const bed = new Bed();
  const client = bed.tcpClient();
  const garbage = new Uint8Array(65_535);
  garbage.set(question("A", "www.google.com").subarray(0, 12));
  // 65535 additional records are announced.
  garbage.fill(0xff, 10, 12);
  garbage.fill(0xc0, 12);
  for (const byte of framed(garbage)) {
    client.duplex.write(Uint8Array.of(byte));
    bed.network.runUntilIdle();
  }
  assert.deepEqual(client.received.map((bytes) => decode(bytes).rcode), ["FORMERR"]);
  client.send(question("A", "www.google.com", { id: 5 }));
  bed.network.runUntilIdle();
  assert.deepEqual(ids(client.received), [4711, 5]);
});

Deno.test("TCP: a connection without a complete message for 5 s is closed", () => {
  for (const bytes of [[], [0], [0, 20, 1, 2, 3]]) {
    const bed = new Bed();
    const client = bed.tcpClient();
    client.duplex.write(Uint8Array.from(bytes));
    bed.network.advance(4999);
    assert.deepEqual([client.closed, bed.proxy.connectionCount], [false, 1]);
    bed.network.advance(1);
    assert.deepEqual([client.closed, bed.proxy.connectionCount], [true, 0]);
  }
});

Deno.test("TCP: single bytes of an incomplete message do not extend the timeout", () => {
  const bed = new Bed();
  const client = bed.tcpClient();
  for (let i = 0; i < 5; i++) {
    client.duplex.write(Uint8Array.of(1));
    bed.network.advance(1000);
  }
  assert.equal(client.closed, true);
});

Deno.test("TCP: a connection that waits for an upstream is not idle", () => {
  const bed = new Bed({ upstream: () => null });
  const client = bed.tcpClient();
  client.send(question("A", "www.example.com"));
  bed.network.advance(15_100);
  assert.deepEqual(client.received.map((bytes) => decode(bytes).rcode), ["SERVFAIL"]);
  assert.equal(client.closed, false);
  bed.network.advance(5000);
  assert.equal(client.closed, true);
});

Deno.test("TCP: a client that half-closes still gets the answer", () => {
  const bed = new Bed();
  const client = bed.tcpClient();
  client.send(question("A", "www.bing.com"));
  client.duplex.end();
  bed.network.runUntilIdle();
  assert.deepEqual(ids(client.received), [4711]);
  assert.deepEqual([client.closed, bed.proxy.connectionCount], [true, 0]);
});

Deno.test("TCP: nothing is read from a client that does not read, and it is closed after 5 s", () => {
  const bed = new Bed();
  const client = bed.tcpClient();
  // The client does not read any more.
  client.duplex.start({ onReadable() {}, onWritable() {}, onFailure() {} });
  const frame = framed(question("A", "large.com."));
  let taken = 0;
  for (let turns = 0; turns < 2000; turns++) {
    const part = frame.subarray(taken % frame.length);
    const more = client.duplex.write(part);
    if (more <= 0) break;
    taken += more;
    bed.network.runUntilIdle();
  }
  assert.ok(taken < 1_000_000, "what is not answered is not taken");
  assert.equal(bed.proxy.connectionCount, 1);
  bed.network.advance(5000);
  assert.equal(bed.proxy.connectionCount, 0);
});

Deno.test("TCP: a reset ends the connection", () => {
  const bed = new Bed({ upstream: () => null });
  for (const message of [null, question("A", "www.example.com"), question("A", "www.google.com")]) {
    const client = bed.tcpClient();
    if (message !== null) client.send(message);
    bed.network.runUntilIdle();
    client.duplex.close(true);
    bed.network.runUntilIdle();
    assert.equal(bed.proxy.connectionCount, 0);
  }
});

Deno.test("TCP: the 257th connection is refused, with one log line", () => {
  const bed = new Bed();
  const clients = Array.from({ length: 258 }, () => bed.tcpClient());
  bed.network.runUntilIdle();
  assert.equal(bed.proxy.connectionCount, 256);
  assert.deepEqual(clients.map(({ closed }) => closed).slice(255), [false, true, true]);
  const [line, ...more] = bed.lines.filter((text) => text.includes("were refused"));
  const text = "warn dns::server TCP connections to the DNS proxy were refused";
  assert.equal(line, `${text} count=1 reason="256 are open already"`);
  assert.deepEqual(more, []);
  clients[0]!.close();
  bed.network.runUntilIdle();
  const late = bed.tcpClient();
  late.send(question("A", "www.google.com"));
  bed.network.runUntilIdle();
  assert.equal(late.received.length, 1);
});

Deno.test("TCP: the pods of an isolate share a limit too", () => {
  const network = new MemoryNetwork();
  const shared = newDnsShared(network);
  shared.connections.left = 3;
  const bed = new Bed({ network, shared });
  const clients = Array.from({ length: 5 }, () => bed.tcpClient());
  bed.network.runUntilIdle();
  assert.deepEqual(clients.map(({ closed }) => closed), [false, false, false, true, true]);
  bed.proxy.drain({ kind: "immediate" }, () => {});
  assert.equal(shared.connections.left, 3);
});

Deno.test("TCP: a few connections are answered per turn, in order, whatever their number", () => {
  const bed = new Bed();
  const clients = Array.from({ length: 100 }, () => bed.tcpClient());
  bed.network.runUntilIdle();
  const frame = framed(question("A", "www.google.com"));
  // One message is within the limit of a turn, four are not.
  const messages = new Uint8Array([...frame, ...frame, ...frame, ...frame]);
  for (const client of clients) client.duplex.write(messages);
  const answered = () => bed.count("istio_dns_requests");
  const perTurn: number[] = [];
  for (let before = 0; before < 400 && perTurn.length < 1000; before = answered()) {
    bed.network.step();
    perTurn.push(answered() - before);
  }
  assert.equal(answered(), 400);
  assert.ok(Math.max(...perTurn) <= 32, `${Math.max(...perTurn)} in one turn`);
  bed.network.runUntilIdle();
  assert.deepEqual(new Set(clients.map(({ received }) => received.length)), new Set([4]));
});

Deno.test("TCP: an immediate drain ends listeners, connections and queries in flight", () => {
  const bed = new Bed({ upstream: () => null });
  const [idle, waiting] = [bed.tcpClient(), bed.tcpClient()];
  waiting.send(question("A", "www.example.com"));
  bed.network.runUntilIdle();
  bed.proxy.drain({ kind: "immediate" }, () => {});
  bed.proxy.drain({ kind: "immediate" }, () => {});
  bed.network.runUntilIdle();
  assert.deepEqual([idle.closed, waiting.closed, bed.proxy.connectionCount], [true, true, 0]);
  assert.deepEqual(bed.lines.slice(-2), [
    "info dns::server shutting down the DNS server",
    "info dns::server dns server drained",
  ]);
  assert.equal(bed.exchange(question("A", "www.google.com")), null);
  bed.network.advance(60_000);
});

Deno.test("TCP: an answer of 64 KB is sent completely", () => {
  const data = Array.from({ length: 200 }, () => "x".repeat(250));
  const answers = [{ name: "big.example", type: "TXT", ttl: 0, data }];
  const response = encode({
    type: "response",
    flags: answered(),
    questions: [{ type: "TXT", name: "big.example" }],
    answers,
  });
  assert.ok(response.length > 50_000);
  const bed = new Bed({ upstream: () => ({ flags: answered(), answers }) });
  const got = bed.exchange(question("TXT", "big.example"), "tcp", 100)!;
  assert.deepEqual([...got.slice(2)], [...response.slice(2)]);
});
