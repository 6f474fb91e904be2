import { strict as assert } from "node:assert";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { newDnsShared } from "./dns_proxy.ts";
import { answered, Bed, decode, type Packet, question, RECURSION_DESIRED } from "./testkit/dns_bed.ts";

function found(name: string, ttl = 60): Packet {
  return { flags: answered(), answers: [{ name, type: "A", ttl, data: "1.2.3.4" }] };
}

/** A server that does not answer until the returned function is called, and then answers the next transmission. */
function slow(bed: Bed): () => void {
  bed.upstream.script = () => null;
  return () => {
    bed.upstream.script = (query) => found(query.questions[0]!.name, 0);
    bed.network.advance(400);
  };
}

Deno.test("forwarder: equal questions in flight are sent once, and each client gets its own id", () => {
  const bed = new Bed();
  const release = slow(bed);
  const clients = [1, 2, 3].map((id) => {
    const client = bed.udpClient();
    client.send(question("A", "www.example.com", { id }));
    return client;
  });
  bed.network.runUntilIdle();
  assert.equal(bed.upstream.asked.length, 1);
  release();
  assert.deepEqual(clients.map(({ received }) => decode(received[0]!).id), [1, 2, 3]);
  assert.equal(bed.count("istio_dns_upstream_requests"), 3);
});

Deno.test("forwarder: questions that differ in more than the id are sent separately", () => {
  const bed = new Bed();
  slow(bed);
  const client = bed.udpClient();
  client.send(question("A", "www.example.com"));
  client.send(question("A", "WWW.example.com"));
  client.send(question("AAAA", "www.example.com"));
  client.send(question("A", "www.example.com", { class: "CH" }));
  client.send(question("A", "www.example.com", { edns: 1232 }));
  client.send(question("A", "www.example.com", { edns: 1232, dnssec: true }));
  client.send(question("A", "www.example.com", { flags: RECURSION_DESIRED | 0x10 }));
  client.send(question("A", "www.example.com", { flags: 0 }));
  bed.network.runUntilIdle();
  assert.equal(bed.upstream.asked.length, 8);
});

Deno.test("forwarder: 256 questions of a pod may be in flight; beyond them the oldest fail, with one line", () => {
  const bed = new Bed();
  slow(bed);
  const client = bed.udpClient();
  for (let i = 0; i < 300; i++) {
    client.send(question("A", `www-${i}.example.com`, { id: i }));
    bed.network.runUntilIdle();
  }
  assert.equal(bed.upstream.asked.length, 300);
  assert.deepEqual(new Set(client.received.map((bytes) => decode(bytes).rcode)), new Set(["SERVFAIL"]));
  assert.deepEqual(client.received.map((bytes) => decode(bytes).id), Array.from({ length: 44 }, (_, id) => id));
  const complaints = () => bed.lines.filter((line) => line.includes("were not forwarded"));
  const text = "warn dns::server DNS questions were not forwarded; do the nameservers of resolv.conf answer?";
  const reason = 'reason="displaced by a newer question"';
  assert.deepEqual(complaints(), [`${text} count=1 ${reason}`]);
  bed.network.advance(10_000);
  assert.deepEqual(complaints().slice(1), [`${text} count=43 ${reason}`]);
  // A name of the mesh is answered without delay.
  assert.equal(bed.ask("A", "www.google.com.").rcode, "NOERROR");
});

Deno.test("forwarder: a displaced question is answered once, and its name can be asked for again", () => {
  const bed = new Bed();
  const release = slow(bed);
  const client = bed.udpClient();
  for (let i = 0; i <= 256; i++) {
    client.send(question("A", `www-${i}.example.com`, { id: i }));
    bed.network.runUntilIdle();
  }
  client.send(question("A", "www-0.example.com", { id: 1000 }));
  bed.network.runUntilIdle();
  release();
  const codes = client.received.map((bytes) => decode(bytes)).map(({ id, rcode }) => `${id} ${rcode}`);
  assert.deepEqual(codes.slice(0, 2), ["0 SERVFAIL", "1 SERVFAIL"]);
  assert.equal(codes.filter((text) => text.endsWith("NOERROR")).length, 256);
  assert.ok(codes.includes("1000 NOERROR"));
});

Deno.test("forwarder: the pods of an isolate share a bound, and release their part when they end", () => {
  const network = new MemoryNetwork();
  const shared = newDnsShared(network);
  const bed = new Bed({ network, shared });
  slow(bed);
  const client = bed.udpClient();
  for (let i = 0; i < 12; i++) client.send(question("A", `www-${i}.example.com`));
  bed.network.runUntilIdle();
  assert.deepEqual([bed.upstream.asked.length, shared.forward.exchanges.inFlight], [12, 12]);
  bed.proxy.drain({ kind: "immediate" }, () => {});
  assert.equal(shared.forward.exchanges.inFlight, 0);
  bed.network.advance(60_000);
  assert.equal(client.received.length, 0, "clients that wait when the proxy stops get no answer");
});

Deno.test("forwarder: the question of a TCP client that disconnects is aborted, unless other clients wait for it", () => {
  const network = new MemoryNetwork();
  const shared = newDnsShared(network);
  const bed = new Bed({ network, shared });
  bed.upstream.script = () => null;
  const [one, two] = [bed.tcpClient(), bed.tcpClient()];
  for (const client of [one, two]) client.send(question("A", "www.example.com"));
  bed.network.runUntilIdle();
  assert.equal(shared.forward.exchanges.inFlight, 1);
  // By a reset: a client that only half-closes may still read.
  one.duplex.close(true);
  bed.network.runUntilIdle();
  assert.equal(shared.forward.exchanges.inFlight, 1);
  two.duplex.close(true);
  bed.network.runUntilIdle();
  assert.equal(shared.forward.exchanges.inFlight, 0);
  assert.equal(bed.proxy.connectionCount, 0);
});

Deno.test("forwarder: responses that are signed, truncated, errors, or without TTL or SOA are not cached", () => {
  const soa = { mname: "ns", rname: "me", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 30 };
  const negative = (ttl: number, minimum: number): Packet => ({
    flags: answered(3),
    authorities: [{ name: "example.com", type: "SOA", ttl, data: { ...soa, minimum } }],
  });
  const cases: readonly (readonly [what: string, answer: Packet, kept: number])[] = [
    ["TTL 60", found("www.example.com"), 60],
    ["TTL 0", found("www.example.com", 0), 0],
    ["the least TTL counts", {
      flags: answered(),
      answers: [...found("www.example.com", 60).answers!, ...found("www.example.com", 7).answers!],
    }, 7],
    ["a day at most", found("www.example.com", 1_000_000), 86_400],
    ["a TTL with its highest bit", found("www.example.com", 0x80000001), 0],
    ["SERVFAIL", { ...found("www.example.com"), flags: answered(2) }, 0],
    ["NXDOMAIN without SOA", { flags: answered(3) }, 0],
    ["NXDOMAIN, minimum", negative(60, 30), 30],
    ["NXDOMAIN, TTL of the SOA", negative(20, 30), 20],
  ];
  for (const [what, answer, kept] of cases) {
    const bed = new Bed({ upstream: () => answer });
    bed.ask("A", "www.example.com");
    bed.network.advance(Math.max(0, 1000 * kept - 1));
    bed.ask("A", "www.example.com");
    assert.equal(bed.upstream.asked.length, kept === 0 ? 2 : 1, what);
    bed.network.advance(1);
    bed.ask("A", "www.example.com");
    assert.equal(bed.upstream.asked.length, kept === 0 ? 3 : 2, what);
  }
});

Deno.test("forwarder: a question with options is sent each time, as its response is for one client", () => {
  const bed = new Bed({ upstream: (query) => found(query.questions[0]!.name) });
  const cookie = question("A", "www.example.com", { edns: 1232 });
  // An option of two bytes: code 10, length 2.
  const request = new Uint8Array([...cookie, 0, 10, 0, 2, 1, 2]);
  request[cookie.length - 1] = 6;
  for (let i = 0; i < 2; i++) assert.ok(bed.exchange(request) !== null);
  assert.equal(bed.upstream.asked.length, 2);
});

Deno.test("forwarder: a response cached from TCP is sent to a UDP client in full or truncated, by its size", () => {
  const answers = Array.from({ length: 40 }, (_, i) => ({ name: "a.example", type: "A", ttl: 60, data: `1.2.3.${i}` }));
  const bed = new Bed({ upstream: () => ({ flags: answered(), answers }) });
  for (const [edns, count] of [[4096, 40], [512, 0]] as const) {
    bed.ask("A", "a.example", { edns }, "tcp");
    const answer = bed.ask("A", "a.example", { edns });
    assert.deepEqual([answer.answers.length, answer.flag_tc, answer.rcode], [count, count === 0, "NOERROR"]);
    assert.equal(answer.questions[0]!.name, "a.example");
  }
  assert.equal(bed.upstream.asked.length, 2);
});

Deno.test("forwarder: zone transfers by TCP and UPDATEs are not shared", () => {
  const bed = new Bed({ upstream: () => null });
  const [one, two] = [bed.tcpClient(), bed.tcpClient()];
  const update = question("SOA", "example.com");
  update[2] = 5 << 3;
  for (const client of [one, two]) client.send(question("AXFR", "example.com"));
  const client = bed.udpClient();
  client.send(update);
  client.send(update);
  bed.network.runUntilIdle();
  assert.equal(bed.upstream.asked.length, 4);
});
