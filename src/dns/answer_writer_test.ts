/** Tests our own answers with an independent library. */
import { strict as assert } from "node:assert";
import fc from "fast-check";
import { ipv4FromBytes, ipv6FromBytes, parseIp } from "../net/address.ts";
import {
  answerLimit,
  type Protocol,
  type Records,
  writeAnswer,
  writeFailure,
  writeTruncated,
} from "./answer_writer.ts";
import { type Query, readQuery } from "./query_reader.ts";
import { type Ask, decode, encode, question } from "./testkit/dns_bed.ts";
import { MAX_MESSAGE } from "./wire.ts";

const output = new Uint8Array(MAX_MESSAGE);

function queryOf(request: Uint8Array): Query {
  const reading = readQuery(request);
  assert.ok(reading.kind === "query");
  return reading.query;
}

function answer(request: Uint8Array, records: Partial<Records>, protocol: Protocol = "udp"): Uint8Array {
  const all = { addresses: [], ttl: 30, authoritative: true, aliasLabels: 0, ...records };
  return output.slice(0, writeAnswer(request, queryOf(request), all, protocol, output));
}

const label = fc.stringMatching(/^[a-zA-Z0-9_-]{1,20}$/);
const labels = fc.array(label, { minLength: 1, maxLength: 8 });
const v4 = fc.uint8Array({ minLength: 4, maxLength: 4 }).map((bytes) => ipv4FromBytes(bytes));
const v6 = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => ipv6FromBytes(bytes)).filter((ip) =>
  ip.includes(":")
);

Deno.test("answers: the library reads back any answer, within the client's limit", () => {
  const inputs = fc.record({
    labels,
    addresses: fc.oneof(fc.array(v4, { maxLength: 300 }), fc.array(v6, { maxLength: 300 })),
    aliasLabels: fc.nat(7),
    edns: fc.option(fc.integer({ min: 1, max: 5000 }), { nil: undefined }),
    dnssec: fc.boolean(),
    protocol: fc.constantFrom<Protocol>("udp", "tcp"),
    ttl: fc.integer({ min: 0, max: 0xffffffff }),
  });
  fc.assert(
    fc.property(inputs, ({ labels, addresses, edns, dnssec, protocol, ttl, ...rest }) => {
      const aliasLabels = Math.min(rest.aliasLabels, labels.length - 1);
      const ask: Ask = { ...(edns === undefined ? {} : { edns, dnssec }) };
      const name = labels.join(".");
      const request = question("A", name, ask);
      const bytes = answer(request, { addresses, aliasLabels, ttl }, protocol);
      const read = decode(bytes);
      assert.equal(read.questions[0]!.name, name);
      const target = labels.slice(0, aliasLabels).join(".").toLowerCase();
      const alias = aliasLabels > 0 && addresses.length > 0;
      const owner = alias ? target : name.toLowerCase();
      const expected = [...alias ? [[name.toLowerCase(), "CNAME", ttl, target]] : []]
        .concat(addresses.map((ip) => [owner, ip.includes(":") ? "AAAA" : "A", ttl, ip] as never));
      const got = read.answers.map((
        record,
      ) => [record.name.toLowerCase(), record.type, record.ttl!, canonical(record.data)]);
      assert.deepEqual(got, expected.slice(0, got.length));
      assert.equal(read.flag_tc, got.length < expected.length);
      assert.ok(bytes.length <= answerLimit(queryOf(request), protocol));
      // There was no room for another record.
      if (read.flag_tc && got.length > 0) {
        assert.ok(bytes.length + 30 + 28 > answerLimit(queryOf(request), protocol) || alias);
      }
      assert.deepEqual(
        read.additionals.map(({ udpPayloadSize, flag_do }) => [udpPayloadSize, flag_do]),
        edns === undefined ? [] : [[Math.max(512, edns), dnssec]],
      );
    }),
    { numRuns: 1000 },
  );
});

/** The library writes some IPv6 addresses shorter than RFC 5952. */
function canonical(data: string): string {
  return parseIp(data) ?? data;
}

Deno.test("answers: a record whose name is not valid is left out", () => {
  const request = question("PTR", "1.0.0.127.in-addr.arpa");
  assert.deepEqual(decode(answer(request, { pointer: "a".repeat(64) })).answers, []);
  assert.equal(decode(answer(request, { pointer: "localhost" })).answers[0]!.data, "localhost");
});

Deno.test("answers: failures repeat the question where it could be read", () => {
  const request = question("A", "Www.Example.Com", { edns: 1232, flags: 0x110 });
  const { questionEnd } = queryOf(request);
  const read = decode(output.slice(0, writeFailure(request, 2, questionEnd, output)));
  assert.deepEqual([read.rcode, read.flag_rd, read.flag_cd, read.flag_ra], ["SERVFAIL", true, true, false]);
  assert.deepEqual([read.questions[0]!.name, read.additionals], ["Www.Example.Com", []]);
  assert.equal(writeFailure(request, 1, null, output), 12);
});

Deno.test("answers: a truncated answer has the flags and the code of the full one", () => {
  const request = question("A", "a.example", { edns: 512 });
  const questions = [{ type: "A", name: "a.example" }];
  const full = encode({ type: "response", id: 1, flags: 0x5a3, questions, answers: [] });
  const read = decode(output.slice(0, writeTruncated(request, queryOf(request), full, output)));
  assert.deepEqual(
    [read.id, read.rcode, read.flag_tc, read.flag_aa, read.flag_ad, read.additionals.length],
    [4711, "NXDOMAIN", true, true, true, 1],
  );
});
