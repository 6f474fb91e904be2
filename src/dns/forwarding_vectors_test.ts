/** The vectors of `docs/spec/inpod-dns.md` V9 (F), and forwarding without changing a byte. */
import { strict as assert } from "node:assert";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import type { Protocol } from "./answer_writer.ts";
import { answered, Bed, decode, encode, type Packet, question, type Script } from "./testkit/dns_bed.ts";

const BOTH: readonly Protocol[] = ["udp", "tcp"];
const TEST_A = { name: "test.example.com", type: "A", ttl: 300, data: "1.1.1.1" };

function vector(id: string, what: string, body: (protocol: Protocol) => void): void {
  for (const protocol of BOTH) Deno.test(`inpod ${id}: ${what}, by ${protocol}`, () => body(protocol));
}

function giving(packet: Packet): Script {
  return () => packet;
}

vector("F1", "a name that the upstream has", (protocol) => {
  const bed = new Bed({ upstream: giving({ flags: answered(), answers: [TEST_A] }) });
  const answer = bed.ask("A", "test.example.com.", {}, protocol);
  assert.deepEqual([answer.rcode, answer.flag_aa], ["NOERROR", false]);
  assert.deepEqual(answer.answers.map(({ data, ttl }) => [data, ttl]), [["1.1.1.1", 300]]);
  assert.deepEqual(bed.upstream.asked.map((asked) => asked.protocol), [protocol]);
});

vector("F2", "a name that nobody has", (protocol) => {
  const answer = new Bed().ask("A", "fake-blahblahblah.com.", {}, protocol);
  assert.deepEqual([answer.rcode, answer.answers], ["NXDOMAIN", []]);
});

vector("F3", "a refusal comes as it is", (protocol) => {
  const bed = new Bed({ upstream: giving({ flags: 0x105 }) });
  const answer = bed.ask("A", "test.example.com.", { edns: 1232 }, protocol);
  assert.deepEqual([answer.rcode, answer.flag_ra, answer.additionals], ["REFUSED", false, []]);
  // The server refuses in each round.
  assert.equal(bed.upstream.asked.length, 1);
  assert.equal(bed.count("istio_dns_upstream_failures"), 1);
});

vector("F4", "a silent upstream gets three rounds of 5 s, then there is SERVFAIL", (protocol) => {
  const bed = new Bed({ upstream: () => null });
  const client = protocol === "udp" ? bed.udpClient() : bed.tcpClient();
  client.send(question("A", "test.example.com."));
  bed.network.advance(14_990);
  assert.equal(client.received.length, 0);
  bed.network.advance(20);
  const answer = decode(client.received[0]!);
  assert.deepEqual([answer.rcode, answer.flag_ra, answer.flag_aa], ["SERVFAIL", false, false]);
  // By UDP each round sends it three times from one socket, the next round from another.
  const ports = new Set(bed.upstream.asked.map(({ from }) => from.port));
  assert.deepEqual([bed.upstream.asked.length, ports.size], protocol === "udp" ? [9, 3] : [3, 3]);
});

vector("F5", "no data: the upstream's SOA stays, so that clients can remember it", (protocol) => {
  const soa = {
    mname: "ns.example.com",
    rname: "me.example.com",
    serial: 1,
    refresh: 2,
    retry: 3,
    expire: 4,
    minimum: 60,
  };
  const authorities = [{ name: "example.com", type: "SOA", ttl: 600, data: soa }];
  const bed = new Bed({ upstream: giving({ flags: answered(), authorities }) });
  const answer = bed.ask("A", "test.example.com.", {}, protocol);
  assert.deepEqual([answer.rcode, answer.answers, answer.authorities.length], ["NOERROR", [], 1]);
  assert.equal(bed.count("istio_dns_upstream_failures"), 1);
});

Deno.test("inpod F6: after a truncated response the question is sent by TCP, and the client gets the full response", () => {
  const answers = Array.from({ length: 30 }, (_, i) => ({ ...TEST_A, data: `1.1.1.${i}` }));
  const bed = new Bed({
    upstream: (_query, protocol) =>
      protocol === "tcp" ? { flags: answered(), answers } : { flags: answered() | 0x200, answers: [TEST_A] },
  });
  const answer = bed.ask("A", "test.example.com.", { edns: 1232 });
  assert.deepEqual([answer.answers.length, answer.flag_tc], [30, false]);
  assert.deepEqual(bed.upstream.questions, ["A test.example.com", "A test.example.com tcp"]);
});

Deno.test("inpod F6: a client gets the truncated response if the full one is too long, and the full one by TCP", () => {
  const answers = Array.from({ length: 60 }, (_, i) => ({ ...TEST_A, data: `1.1.1.${i}` }));
  const bed = new Bed({
    upstream: (_query, protocol) =>
      protocol === "tcp" ? { flags: answered(), answers } : { flags: answered() | 0x200, answers: [TEST_A] },
  });
  const short = bed.ask("A", "test.example.com.", { edns: 512 });
  assert.deepEqual([short.answers.length, short.flag_tc], [1, true]);
  const whole = bed.ask("A", "test.example.com.", { edns: 512 }, "tcp");
  assert.deepEqual([whole.answers.length, whole.flag_tc], [60, false]);
  assert.equal(bed.upstream.asked.length, 2, "the second one was known already");
});

Deno.test("inpod F6: where TCP fails the truncated response is forwarded", () => {
  const bed = new Bed({
    upstream: (_query, protocol) => protocol === "tcp" ? null : { flags: answered() | 0x200, answers: [TEST_A] },
  });
  const answer = decode(bed.exchange(question("A", "test.example.com."), "udp", 6000)!);
  assert.deepEqual([answer.answers.length, answer.flag_tc], [1, true]);
});

vector("F7", "localhost is answered here", (protocol) => {
  const bed = new Bed({ logFilter: "debug" });
  const answers = (type: string, name: string) => {
    const { rcode, flag_aa, answers } = bed.ask(type, name, {}, protocol);
    return [rcode, flag_aa, ...answers.map(({ data }) => data)];
  };
  assert.deepEqual(answers("A", "localhost."), ["NOERROR", false, "127.0.0.1"]);
  assert.deepEqual(answers("AAAA", "localhost."), ["NOERROR", false, "::1"]);
  assert.deepEqual(answers("A", "some.thing.localhost."), ["NOERROR", false, "127.0.0.1"]);
  assert.deepEqual(answers("MX", "localhost."), ["NOERROR", false]);
  assert.deepEqual(answers("PTR", "1.0.0.127.in-addr.arpa."), ["NOERROR", false, "localhost"]);
  const nibbles = `1.${"0.".repeat(31)}ip6.arpa.`;
  assert.deepEqual(answers("PTR", nibbles), ["NOERROR", false, "localhost"]);
  assert.deepEqual(bed.upstream.asked, []);
  assert.equal(bed.count("istio_dns_upstream_requests"), 6);
});

vector("F8", "onion and invalid are nowhere", (protocol) => {
  const bed = new Bed();
  for (const name of ["x.onion.", "x.invalid.", "onion.", "a.b.invalid."]) {
    assert.equal(bed.ask("A", name, {}, protocol).rcode, "NXDOMAIN");
  }
  assert.deepEqual(bed.upstream.asked, []);
});

vector("F9", "names of the hosts file", (protocol) => {
  const bed = new Bed({ hosts: "10.1.2.3 node-1.example.com node-1 # itself\nfd00::3 node-1\n" });
  const [record] = bed.ask("A", "Node-1.", {}, protocol).answers;
  assert.deepEqual([record?.data, record?.ttl, record?.name], ["10.1.2.3", 86_400, "node-1"]);
  assert.equal(bed.ask("AAAA", "node-1.", {}, protocol).answers[0]?.data, "fd00::3");
  assert.equal(bed.ask("PTR", "3.2.1.10.in-addr.arpa.", {}, protocol).answers[0]?.data, "node-1.example.com");
  assert.deepEqual(bed.upstream.asked, []);
  // A question of another class is forwarded.
  bed.ask("A", "node-1.", { class: "CH" }, protocol);
  assert.equal(bed.upstream.asked.length, 1);
});

vector("F10", "the second answer is the first one, older", (protocol) => {
  const bed = new Bed({ upstream: giving({ flags: answered(), answers: [TEST_A] }) });
  bed.ask("A", "test.example.com.", { id: 1 }, protocol);
  bed.network.advance(12_900);
  const answer = bed.ask("A", "test.example.com.", { id: 2 }, protocol);
  assert.deepEqual([answer.id, answer.answers[0]?.ttl], [2, 288]);
  assert.equal(bed.upstream.asked.length, 1);
  assert.equal(bed.count("istio_dns_upstream_requests"), 2);
  bed.network.advance(300_000);
  assert.equal(bed.ask("A", "test.example.com.", {}, protocol).answers[0]?.ttl, 300);
  assert.equal(bed.upstream.asked.length, 2);
});

vector("F11", "a short name is asked for as it is", (protocol) => {
  const bed = new Bed({ resolver: "nameserver 10.0.0.10\nsearch example.com\n" });
  bed.ask("A", "foo.", {}, protocol);
  assert.deepEqual(bed.upstream.questions.map((text) => text.replace(" tcp", "")), ["A foo"]);
});

/** Asserts that the upstream got the client's bytes, and the client got the upstream's bytes. */
function passed(bed: Bed, request: Uint8Array, response: Uint8Array, protocol: Protocol) {
  bed.upstream.script = (_query, _protocol, bytes) => {
    const own = response.slice();
    own.set(bytes.subarray(0, 2));
    return own;
  };
  const got = bed.exchange(request, protocol);
  return { asked: bed.upstream.asked.at(-1)?.bytes.slice(2), got };
}

const TYPES = ["A", "AAAA", "TXT", "MX", "SRV", "CAA", "DS", "DNSKEY", "NAPTR", "TLSA", "SVCB", "HTTPS", "ANY"];

Deno.test("byte for byte: questions of every kind and their responses", () => {
  const inputs = fc.record({
    type: fc.constantFrom(...TYPES),
    class: fc.constantFrom("IN", "CH", "HS"),
    edns: fc.option(fc.integer({ min: 512, max: 4096 }), { nil: undefined }),
    dnssec: fc.boolean(),
    flags: fc.constantFrom(0, 0x100, 0x110, 0x120, 0x130, 0x140),
    rcode: fc.constantFrom(0, 3),
    cookie: fc.option(fc.uint8Array({ minLength: 8, maxLength: 8 }), { nil: undefined }),
    protocol: fc.constantFrom(...BOTH),
    label: fc.stringMatching(/^[a-zA-Z0-9-]{1,20}$/),
  });
  fc.assert(
    fc.property(inputs, ({ type, edns, dnssec, flags, rcode, cookie, protocol, label, ...rest }) => {
      const bed = new Bed();
      const opt = {
        name: ".",
        type: "OPT",
        udpPayloadSize: edns ?? 1232,
        flags: dnssec ? 0x8000 : 0,
        options: cookie === undefined ? [] : [{ code: 10, data: Buffer.from(cookie) }],
      };
      const additionals = edns === undefined ? [] : [opt];
      const questions = [{ type, name: `${label}.Example.org`, class: rest.class }];
      const request = encode({ type: "query", id: 77, flags, questions, additionals });
      const answers = [{ name: `${label}.example.org`, type: "TXT", ttl: 3, data: ["x"] }];
      const response = encode({ type: "response", flags: answered(rcode) | 0x420, questions, answers, additionals });
      const { asked, got } = passed(bed, request, response, protocol);
      assert.deepEqual([...asked!], [...request.slice(2)]);
      assert.deepEqual([...got!], [0, 77, ...response.slice(2)]);
    }),
    { numRuns: 300 },
  );
});

Deno.test("byte for byte: bytes after the records of a question are forwarded", () => {
  const request = new Uint8Array([...question("TXT", "x.example.org"), 1, 2, 3]);
  const response = encode({ type: "response", flags: answered(), questions: [{ type: "TXT", name: "x.example.org" }] });
  for (const protocol of BOTH) {
    const { asked } = passed(new Bed(), request, response, protocol);
    assert.deepEqual([...asked!], [...request.slice(2)]);
  }
});

Deno.test("byte for byte: TSIG is not changed, and such a response is not cached", () => {
  const bed = new Bed();
  const questions = [{ type: "A", name: "signed.example.org" }];
  const tsig = { name: "key", type: "TSIG", class: "ANY", ttl: 0, data: new Uint8Array([1, 2, 3]) };
  const request = encode({ type: "query", id: 3, questions });
  const answers = [{ name: "signed.example.org", type: "A", ttl: 60, data: "1.2.3.4" }];
  const response = encode({ type: "response", flags: answered(), questions, answers });
  // The library does not support TSIG, so the record of type 250 is written by hand.
  const signed = new Uint8Array([...response, 0, 0, 250, 0, 255, 0, 0, 0, 0, 0, 3, ...tsig.data]);
  signed[11] = 1;
  for (let i = 0; i < 2; i++) {
    assert.deepEqual([...passed(bed, request, signed, "udp").got!.slice(2)], [...signed.slice(2)]);
  }
  assert.equal(bed.upstream.asked.length, 2);
});
