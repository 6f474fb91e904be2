/** Invalid messages: nothing throws, and their cost is limited to their bytes. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { parseHostsFile } from "./hosts_file.ts";
import { readQuery } from "./query_reader.ts";
import { ageRecords, readResponse } from "./response_reader.ts";
import { answered, Bed, decode, encode, question } from "./testkit/dns_bed.ts";

function withCounts(bytes: Uint8Array, ...counts: readonly number[]): Uint8Array {
  const copy = bytes.slice();
  counts.forEach((count, i) => copy.set([count >> 8, count & 255], 4 + 2 * i));
  return copy;
}

const NAME = question("A", "www.google.com");
const OPT = [0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0];

/** Appends records to the question, each with the root as its name. */
function manyRecords(count: number): Uint8Array {
  const bytes = new Uint8Array(NAME.length + 11 * count);
  bytes.set(NAME);
  return withCounts(bytes, 1, 0, 0, count);
}

/** Invalid messages, each with the code of the answer. */
const GARBAGE: readonly (readonly [what: string, bytes: Uint8Array, rcode: string])[] = [
  ["a name that points at itself", Uint8Array.from([...NAME.subarray(0, 12), 0xc0, 12, 0, 1, 0, 1]), "FORMERR"],
  ["a name that points behind itself", Uint8Array.from([...NAME.subarray(0, 12), 0xc0, 40, 0, 1, 0, 1]), "FORMERR"],
  ["a question without its class", NAME.slice(0, -1), "FORMERR"],
  ["a header alone", NAME.slice(0, 12), "FORMERR"],
  ["an answer that is not there", withCounts(NAME, 1, 1, 0, 0), "FORMERR"],
  ["65535 of everything", withCounts(NAME, 65535, 65535, 65535, 65535), "FORMERR"],
  ["65535 additional records", withCounts(NAME, 1, 0, 0, 65535), "FORMERR"],
  ["no question", withCounts(NAME.slice(0, 12), 0, 0, 0, 0), "SERVFAIL"],
  ["1100 records, all of them present", manyRecords(1100), "FORMERR"],
  ["two questions where only one fits", withCounts(NAME.slice(0, 21), 2, 0, 0, 0), "FORMERR"],
  ["two OPT records", withCounts(Uint8Array.from([...NAME, ...OPT, ...OPT]), 1, 0, 0, 2), "FORMERR"],
  [
    "an OPT record with options that are not there",
    withCounts(Uint8Array.from([...NAME, ...OPT.slice(0, -1), 9]), 1, 0, 0, 1),
    "FORMERR",
  ],
];

for (const [what, bytes, rcode] of GARBAGE) {
  for (const protocol of ["udp", "tcp"] as const) {
    Deno.test(`garbage by ${protocol}: ${what} is ${rcode}, counted, with one line`, () => {
      const bed = new Bed();
      const client = protocol === "udp" ? bed.udpClient() : bed.tcpClient();
      for (let i = 0; i < 3; i++) client.send(bytes);
      bed.network.runUntilIdle();
      assert.equal(client.received.length, 3);
      for (const answer of client.received) {
        const { id, flag_aa, flag_ra, questions, ...rest } = decode(answer);
        assert.deepEqual([id, rest.rcode, flag_aa, flag_ra, questions], [4711, rcode, false, false, []]);
      }
      const labels = `request_query_type="unknown",request_protocol="${protocol}"`;
      assert.equal(bed.count("istio_dns_requests", labels), 3);
      assert.equal(bed.lines.filter((line) => line.startsWith("warn")).length, 1);
      assert.match(
        bed.lines.at(-1)!,
        /^warn dns::server DNS messages could not be read and were refused count=1 reason="/,
      );
      assert.deepEqual(bed.upstream.asked, []);
      client.send(question("A", "www.google.com"));
      bed.network.runUntilIdle();
      assert.equal(decode(client.received[3]!).answers.length, 1);
    });
  }
}

Deno.test("garbage: 64 KB by UDP", () => {
  const bed = new Bed();
  const bytes = new Uint8Array(65_507).fill(0xc0);
  bytes.set(withCounts(NAME, 1, 0, 0, 65535));
  assert.equal(decode(bed.exchange(bytes)!).rcode, "FORMERR");
});

/** Nearly valid messages: a few bytes of a valid one are changed, or its end is missing. */
function damaged(good: readonly Uint8Array[]): fc.Arbitrary<Uint8Array> {
  const change = fc.tuple(fc.nat(200), fc.nat(255));
  return fc.tuple(fc.constantFrom(...good), fc.array(change, { maxLength: 4 }), fc.option(fc.nat(200))).map(
    ([bytes, changes, cut]) => {
      const copy = bytes.slice(0, cut ?? bytes.length);
      for (const [at, value] of changes) if (at < copy.length) copy[at] = value;
      return copy;
    },
  );
}

const QUERIES = [
  NAME,
  question("AAAA", "productpage.ns1.svc.cluster.local", { edns: 1232, dnssec: true }),
  question("TXT", "x.example.com", { edns: 4096 }),
];

Deno.test("garbage: any query is read or refused", () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 100 }), damaged(QUERIES)), (bytes) => {
      const reading = readQuery(bytes);
      if (reading.kind === "query") assert.ok(reading.query.questionEnd <= bytes.length);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("garbage: any message is answered with its id or not at all, and the proxy goes on", () => {
  const bed = new Bed();
  bed.upstream.script = (_query, _protocol, bytes) => {
    const answer = bytes.slice();
    answer[2]! |= 0x80;
    return answer;
  };
  fc.assert(
    fc.property(damaged(QUERIES), fc.boolean(), (bytes, tcp) => {
      const answer = bed.exchange(bytes, tcp ? "tcp" : "udp", 20);
      if (answer !== null) assert.deepEqual([...answer.slice(0, 2)], [...bytes.slice(0, 2)]);
      if (answer !== null) assert.ok((answer[2]! & 0x80) !== 0);
    }),
    { numRuns: 1000 },
  );
  assert.equal(bed.ask("A", "www.google.com").answers.length, 1);
  assert.equal(bed.proxy.connectionCount, 0);
});

const SOA = {
  mname: "ns.example.com",
  rname: "me.example.com",
  serial: 1,
  refresh: 2,
  retry: 3,
  expire: 4,
  minimum: 60,
};
const RESPONSES = [
  encode({
    type: "response",
    id: 4711,
    flags: answered(),
    questions: [{ type: "A", name: "www.google.com" }],
    answers: [{ name: "www.google.com", type: "A", ttl: 60, data: "1.2.3.4" }],
    authorities: [{ name: "google.com", type: "SOA", ttl: 60, data: SOA }],
    additionals: [{ name: ".", type: "OPT", udpPayloadSize: 1232, flags: 0, options: [] }],
  }),
];

Deno.test("garbage: a message with several questions is refused without reading names", () => {
  // Reading the names would find them incomplete or invalid.
  const bytes = new Uint8Array(65_535).fill(0xff);
  bytes.set(NAME.subarray(0, 12));
  assert.deepEqual(readQuery(withCounts(bytes, 10_876, 0, 0, 0)), { kind: "questions", count: 10_876 });
  assert.equal(readQuery(withCounts(bytes, 1, 0, 0, 0)).kind, "malformed");
});

Deno.test("garbage: a response whose names take too long to read is discarded", () => {
  const message = { bytes: NAME, questionEnd: NAME.length };
  // Each record's name points to the one before it, 32 deep, and the last to a name of 100 labels.
  const records: number[] = [];
  let target = 0;
  const start = NAME.length;
  records.push(...Array(100).fill([1, 97]).flat(), 0, 0, 1, 0, 1, 0, 0, 0, 60, 0, 0);
  let count = 1;
  for (target = start; start + records.length < 60_000; count++) {
    const at = start + records.length;
    records.push(0xc0 | (target >> 8), target & 255, 0, 1, 0, 1, 0, 0, 0, 60, 0, 0);
    if (count < 30) target = at;
  }
  const response = (some: number) => {
    const bytes = withCounts(Uint8Array.from([...NAME, ...records]), 1, some, 0, 0);
    bytes[2]! |= 0x80;
    return bytes;
  };
  assert.notEqual(readResponse(response(400), message, 4711), null);
  assert.equal(readResponse(response(count), message, 4711), null);
});

Deno.test("garbage: any response is accepted or refused, and the TTLs of an accepted one can be reduced", () => {
  const message = { bytes: NAME, questionEnd: NAME.length };
  fc.assert(
    fc.property(damaged(RESPONSES), fc.nat(100_000), (bytes, seconds) => {
      const facts = readResponse(bytes, message, 4711);
      if (facts === null || bytes.length === 12) return;
      assert.ok(facts.lifetime >= 0 && facts.lifetime <= 86_400);
      ageRecords(bytes, message.questionEnd, seconds);
      assert.notEqual(readResponse(bytes, message, 4711), null);
    }),
    { numRuns: 5000 },
  );
});

Deno.test("garbage: an upstream that sends invalid responses is not used", () => {
  const bed = new Bed();
  fc.assert(
    fc.property(damaged(RESPONSES), (bytes) => {
      bed.upstream.script = (_query, _protocol, asked) => {
        const own = bytes.slice();
        own.set(asked.subarray(0, Math.min(2, own.length)));
        return own;
      };
      const answer = bed.exchange(question("A", "www.bing.com"), "udp", 16_000);
      assert.equal(decode(answer!).id, 4711);
    }),
    { numRuns: 300 },
  );
});

Deno.test("garbage: any text is read as a hosts file", () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom("127.0.0.1 localhost", "::1 a b # c", "1.2.3.4 A.b. x..y -z", "1.2.3.4"),
  );
  fc.assert(fc.property(fc.array(line), (lines) => void parseHostsFile(lines.join("\n"))));
  const hosts = parseHostsFile("1.2.3.4 A.b. x..y -z\n::ffff:1.2.3.4 other\n999.1.1.1 no\n#1.1.1.1 no\n1.2.3.5\ta.B");
  assert.deepEqual([...hosts.addresses], [["a.b", ["1.2.3.4", "1.2.3.5"]], ["x..y", ["1.2.3.4"]], ["other", [
    "1.2.3.4",
  ]]]);
  assert.deepEqual([...hosts.names], [["1.2.3.4", "a.b"], ["1.2.3.5", "a.b"]]);
});
