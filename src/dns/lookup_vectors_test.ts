/** `docs/spec/inpod-dns.md` V8, through the whole proxy, by UDP and by TCP. */
import { strict as assert } from "node:assert";
import type { Protocol } from "./answer_writer.ts";
import {
  answered,
  type Ask,
  Bed,
  decode,
  encode,
  type Packet,
  question,
  RECURSION_DESIRED,
} from "./testkit/dns_bed.ts";
import { CLIENT } from "./testkit/mesh.ts";

const BOTH: readonly Protocol[] = ["udp", "tcp"];

/** `A 1.1.1.1`, `owner A 1.1.1.1` where the owner is not the name of the question, `CNAME target`. */
function records({ questions, answers }: Required<Packet>): string[] {
  const asked = questions[0]!.name.toLowerCase();
  return answers.map(({ name, type, data }) => `${name === asked ? "" : `${name} `}${type} ${data}`).sort();
}

const FORWARDED = "forwarded, NXDOMAIN";

/** Expected: the records of our own answer, or {@link FORWARDED}. */
type Row = readonly [id: string, query: string, expected: readonly string[] | typeof FORWARDED];

const CLUSTER = "svc.cluster.local";
const ROWS: readonly Row[] = [
  ["D1", "NS productpage.ns1.", FORWARDED],
  ["D2", "A www.google.com.", ["A 1.1.1.1"]],
  ["D3", `A www.google.com.ns1.${CLUSTER}.`, ["CNAME www.google.com", "www.google.com A 1.1.1.1"]],
  ["D5", `A productpage.ns1.${CLUSTER}.`, ["A 9.9.9.9"]],
  ["D6", "A productpage.ns1.", ["A 9.9.9.9"]],
  ["D7", "A productpage.", ["A 9.9.9.9"]],
  ["D8", `A productpage.ns1.ns1.${CLUSTER}.`, ["CNAME productpage.ns1", "productpage.ns1 A 9.9.9.9"]],
  ["D9", `AAAA productpage.ns1.ns1.${CLUSTER}.`, []],
  ["D10", "A example.ns2.", ["A 10.10.10.10"]],
  ["D11", `A example.ns2.${CLUSTER}.`, ["A 10.10.10.10"]],
  ["D12", "A example.ns2.svc.", ["A 10.10.10.10"]],
  ["D13", "A example.", FORWARDED],
  ["D14", `A nslocal.ns2.${CLUSTER}.`, FORWARDED],
  ["D15", `A nslocalsame.ns1.${CLUSTER}.`, ["A 10.10.10.241"]],
  [
    "D16",
    "A details.ns2.svc.cluster.remote.",
    ["A 11.11.11.11", "A 12.12.12.12", "A 13.13.13.13", "A 14.14.14.14"],
  ],
  ["D17", "A details.ns2.", FORWARDED],
  ["D18", "A dual.localhost.", ["A 2.2.2.2"]],
  ["D19", "AAAA dual.localhost.", ["AAAA 2001:db8::ff00:42:8329"]],
  ["D20", "A ipv6.localhost.", []],
  ["D21", "AAAA ipv4.localhost.", []],
  ["D22", "A foo.wildcard.", ["A 10.10.10.10"]],
  ["D23", "A a.b.wildcard.", ["A 11.11.11.11"]],
  ["D24", "A foo.svc.mesh.company.net.", ["A 10.1.2.3"]],
  ["D25", "A foo.foons.svc.mesh.company.net.", ["A 10.1.2.3"]],
  ["D26", `A foo.svc.mesh.company.net.ns1.${CLUSTER}.`, ["A 10.1.2.3"]],
  ["D27", `A nw2-only.ns1.${CLUSTER}.`, []],
  ["D28", `A both-networks.ns1.${CLUSTER}.`, ["A 21.21.21.21"]],
  ["D29", `A headless.ns1.${CLUSTER}.`, ["A 30.30.30.30", "A 31.31.31.31"]],
  ["D30", `AAAA headless.ns1.${CLUSTER}.`, ["AAAA 2001:db8::30", "AAAA 2001:db8::31"]],
  ["D31", `AAAA headless-ipv6.ns1.${CLUSTER}.`, ["AAAA 2001:db8::33"]],
  ["D32", `A headless-ipv6.ns1.${CLUSTER}.`, []],
  ["D33", `A headless.pod0.ns1.${CLUSTER}.`, FORWARDED],
  ["D34", "A headless.pod0.ns1.", FORWARDED],
  ["D35", "A headless-no-endpoints.example.com.", FORWARDED],
  ["D36", "A headless.example.com.", FORWARDED],
  ["D37", "A preferred.io.", ["A 10.10.10.211"]],
  ["D38", "A everywhere.io.", ["A 10.10.10.112"]],
  ["D39", "A canonical.svc.", ["A 10.10.10.141"]],
  ["D40", "A canonical.with.local.", ["A 10.10.10.150"]],
  ["D41", "A b.wildcard.", ["A 10.10.10.10"]],
  ["D42", "A wildcard.", FORWARDED],
  ["D42", "A svc.mesh.company.net.", FORWARDED],
  ["D43", "A *.wildcard.", ["A 10.10.10.10"]],
  [
    "D44",
    `A productpage.ns1.${CLUSTER}.ns1.${CLUSTER}.`,
    [`CNAME productpage.ns1.${CLUSTER}`, `productpage.ns1.${CLUSTER} A 9.9.9.9`],
  ],
  ["D45", `A example.ns2.ns1.${CLUSTER}.`, ["CNAME example.ns2", "example.ns2 A 10.10.10.10"]],
  ["D46", `A www.google.com.${CLUSTER}.`, ["CNAME www.google.com", "www.google.com A 1.1.1.1"]],
  ["D46", "A www.google.com.cluster.local.", ["CNAME www.google.com", "www.google.com A 1.1.1.1"]],
  ["D48", `A example.ns1.${CLUSTER}.`, FORWARDED],
  ["D50", "TXT www.google.com.", FORWARDED],
  ["D51", "HTTPS productpage.ns1.", FORWARDED],
];

for (const [id, query, expected] of ROWS) {
  for (const protocol of BOTH) {
    Deno.test(`inpod ${id}: ${query} by ${protocol}`, () => {
      const bed = new Bed();
      const [type = "", name = ""] = query.split(" ");
      const answer = bed.ask(type, name, {}, protocol);
      assert.equal(answer.id, 4711);
      assert.equal(answer.flag_tc, false);
      if (expected === FORWARDED) {
        assert.deepEqual([answer.rcode, answer.flag_aa, answer.answers.length], ["NXDOMAIN", false, 0]);
        assert.equal(bed.upstream.asked.length, 1);
        return;
      }
      assert.deepEqual([answer.rcode, answer.flag_aa, answer.flag_ra], ["NOERROR", true, true]);
      assert.deepEqual(records(answer), [...expected].sort());
      assert.ok(answer.answers.every(({ ttl, class: each }) => ttl === 30 && each === "IN"));
      if (answer.answers.length > 1 && expected[0]!.startsWith("CNAME")) assert.equal(answer.answers[0]!.type, "CNAME");
      assert.deepEqual(bed.upstream.asked, []);
    });
  }
}

/** A vector with its own test. */
function vector(id: string, what: string, body: (bed: Bed, protocol: Protocol) => void, protocols = BOTH): void {
  for (const protocol of protocols) {
    Deno.test(`inpod ${id}: ${what}, by ${protocol}`, () => body(new Bed(), protocol));
  }
}

vector("D4", "a name of the outside, with what came beside the answer", (bed, protocol) => {
  const answer = bed.ask("A", "www.bing.com.", {}, protocol);
  assert.deepEqual([answer.rcode, answer.flag_aa, records(answer)], ["NOERROR", false, ["A 1.1.1.1"]]);
  assert.deepEqual(answer.additionals.map(({ type, data }) => [type, data]), [["AAAA", "::1"]]);
});

vector("D47", "capitals: the question as it came, the owner in lower case", (bed, protocol) => {
  const answer = bed.ask("A", "PRODUCTPAGE.ns1.", {}, protocol);
  assert.equal(answer.questions[0]!.name, "PRODUCTPAGE.ns1");
  assert.deepEqual(answer.answers.map(({ name, data }) => [name, data]), [["productpage.ns1", "9.9.9.9"]]);
});

vector("D49", "class CH is answered with records of class IN", (bed, protocol) => {
  const answer = bed.ask("A", "productpage.ns1.", { class: "CH" }, protocol);
  assert.equal(answer.questions[0]!.class, "CH");
  assert.deepEqual(answer.answers.map(({ class: each, data }) => [each, data]), [["IN", "9.9.9.9"]]);
});

Deno.test("inpod D52: without IPv6 names of the mesh have no AAAA records", () => {
  const answer = new Bed({ ipv6: false }).ask("AAAA", "dual.localhost.");
  assert.deepEqual([answer.rcode, answer.flag_aa, answer.answers], ["NOERROR", true, []]);
});

for (const protocol of BOTH) {
  Deno.test(`inpod D53: a pod whose workload does not arrive gets SERVFAIL after 5 s, by ${protocol}`, () => {
    const bed = new Bed({ changes: [], logFilter: "debug" });
    assert.equal(bed.exchange(question("A", "www.google.com."), protocol, 4999), null);
    const answer = bed.ask("A", "www.google.com.", {}, protocol, 5000);
    assert.deepEqual([answer.rcode, answer.flag_aa, answer.flag_ra], ["SERVFAIL", false, false]);
    const labels = `request_query_type="a",request_protocol="${protocol}",source_canonical_service="unknown"`;
    assert.ok(bed.count("istio_dns_requests", labels) >= 1);
    assert.ok(bed.lines.some((line) => /^debug dns::server.* unknown source/.test(line)), bed.lines.join("\n"));
  });
}

for (const protocol of BOTH) {
  Deno.test(`while the control plane is away, queries do not wait for an unknown workload, by ${protocol}`, () => {
    const bed = new Bed({ changes: [] });
    bed.state.setFreshness("stale");
    assert.equal(bed.ask("A", "www.google.com.", {}, protocol).rcode, "SERVFAIL");
  });
}

Deno.test("inpod D53: a query is answered when the workload arrives in time, and the wait does not count as upstream time", () => {
  const bed = new Bed({ changes: [] });
  const client = bed.udpClient();
  client.send(question("A", "www.bing.com."));
  bed.network.advance(4000);
  bed.state.apply([{ kind: "workload", workload: CLIENT, endpoints: new Map() }]);
  bed.network.runUntilIdle();
  assert.equal(decode(client.received[0]!).answers.length, 1);
});

Deno.test("inpod D54: 256 addresses by TCP", () => {
  const answer = new Bed().ask("A", "large.com.", {}, "tcp");
  assert.deepEqual([answer.answers.length, answer.flag_tc], [256, false]);
  assert.equal(new Set(answer.answers.map(({ data }) => data)).size, 256);
});

Deno.test("inpod D55: 256 addresses by UDP, payload 1232", () => {
  const bed = new Bed();
  const bytes = bed.exchange(question("A", "large.com.", { edns: 1232 }))!;
  const answer = decode(bytes);
  assert.deepEqual([answer.answers.length, answer.flag_tc], [74, true]);
  assert.ok(bytes.length <= 1232);
  assert.deepEqual(answer.additionals.map(({ type }) => type), ["OPT"]);
});

Deno.test("inpod D56: 256 addresses by UDP, without a payload size", () => {
  const bytes = new Bed().exchange(question("A", "large.com."))!;
  // 254 addresses fit, as their names are pointers to the question.
  assert.deepEqual([decode(bytes).answers.length, decode(bytes).flag_tc], [254, true]);
  assert.ok(bytes.length <= 4096);
});

vector("D57", "a payload of 100 counts as 512", (bed, protocol) => {
  const answer = bed.ask("A", "www.google.com.", { edns: 100 }, protocol);
  assert.deepEqual(answer.additionals.map(({ type, udpPayloadSize }) => [type, udpPayloadSize]), [["OPT", 512]]);
});

vector("D58", "EDNS version 1 is answered as 0 would be", (bed, protocol) => {
  const answer = bed.ask("A", "www.google.com.", { edns: 1232, ednsVersion: 1 }, protocol);
  assert.deepEqual(records(answer), ["A 1.1.1.1"]);
  assert.equal(answer.additionals[0]!.ednsVersion, 1);
});

vector("D59", "a forwarded answer has the OPT record of its server, or none", (bed, protocol) => {
  assert.deepEqual(bed.ask("A", "nobody.example.", { edns: 1232 }, protocol).additionals, []);
  const opt = { name: ".", type: "OPT", udpPayloadSize: 1400, ednsVersion: 0, flags: 0, options: [] };
  bed.upstream.script = () => ({ flags: answered(3), additionals: [opt] });
  const [record] = bed.ask("A", "nobody.else.example.", { edns: 1232 }, protocol).additionals;
  assert.deepEqual([record?.type, record?.udpPayloadSize], ["OPT", 1400]);
});

Deno.test("inpod D60: a client with an IPv4-mapped address", () => {
  const bed = new Bed({ listen: { kind: "address", address: { ip: "::" as never, port: 15053 } } });
  assert.deepEqual(records(bed.ask("A", "www.google.com.")), ["A 1.1.1.1"]);
});

for (const opcode of ["UPDATE", "NOTIFY"] as const) {
  vector("D61", `${opcode} is the upstream's to refuse`, (bed, protocol) => {
    bed.upstream.script = (_query, _protocol, bytes) => {
      const answer = bytes.slice(0, 12);
      answer[2]! |= 0x80;
      answer[3] = 4;
      answer.fill(0, 4);
      return answer;
    };
    const request = question("SOA", "www.google.com.");
    request[2] = (opcode === "UPDATE" ? 5 : 4) << 3;
    const answer = bed.exchange(request, protocol)!;
    assert.deepEqual([...answer], [...request.slice(0, 2), request[2]! | 0x80, 4, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual([...bed.upstream.asked[0]!.bytes.slice(2)], [...request.slice(2)]);
  });
}

vector("D62", "a response is not answered, and the connection goes on", (bed, protocol) => {
  const client = protocol === "udp" ? bed.udpClient() : bed.tcpClient();
  client.send(encode({ type: "response", id: 1, questions: [{ type: "A", name: "www.google.com" }] }));
  client.send(question("A", "www.google.com."));
  bed.network.runUntilIdle();
  assert.deepEqual(client.received.map((bytes) => decode(bytes).id), [4711]);
});

vector("D63", "eleven bytes are not answered", (bed, protocol) => {
  const client = protocol === "udp" ? bed.udpClient() : bed.tcpClient();
  client.send(question("A", "www.google.com.").slice(0, 11));
  client.send(question("A", "www.google.com."));
  bed.network.runUntilIdle();
  assert.deepEqual(client.received.map((bytes) => decode(bytes).id), [4711]);
});

vector("D64", "two questions", (bed, protocol) => {
  const asked = { type: "A", name: "www.google.com" };
  const bytes = bed.exchange(encode({ type: "query", id: 9, questions: [asked, asked] }), protocol)!;
  const answer = decode(bytes);
  assert.deepEqual([answer.id, answer.rcode, answer.flag_aa, answer.flag_ra], [9, "SERVFAIL", false, false]);
});

vector("D65", "flags of a forwarded answer", (bed, protocol) => {
  const { flag_aa, flag_ad, flag_cd, flag_ra, flag_rd, flag_tc } = bed.ask("A", "www.bing.com.", {}, protocol);
  assert.deepEqual({ flag_aa, flag_ad, flag_cd, flag_ra, flag_rd, flag_tc }, {
    flag_aa: false,
    flag_ad: false,
    flag_cd: false,
    flag_ra: true,
    flag_rd: true,
    flag_tc: false,
  });
});

vector("D66", "a name of the mesh is one request", (bed, protocol) => {
  bed.ask("A", "www.google.com.", {}, protocol);
  const labels = `request_query_type="a",request_protocol="${protocol}",source_canonical_service="client",` +
    `source_canonical_revision="v1"`;
  assert.equal(bed.count("istio_dns_requests", labels), 1);
  assert.equal(bed.count("istio_dns_upstream_requests"), 0);
  assert.equal(bed.count("istio_dns_upstream_failures"), 0);
});

vector("D67", "a name that nobody knows is a request and a failure of the upstream", (bed, protocol) => {
  bed.ask("A", "example.", {}, protocol);
  assert.equal(bed.count("istio_dns_requests"), 1);
  assert.equal(bed.count("istio_dns_upstream_requests"), 1);
  assert.equal(bed.count("istio_dns_upstream_failures"), 1);
  const [duration] = bed.metrics.snapshot().histograms;
  assert.equal(duration!.counts.reduce((sum, count) => sum + count), 1);
});

Deno.test("answers copy opcode, RD and CD of the question, and set no other flag", () => {
  const bed = new Bed();
  for (const flags of [0, RECURSION_DESIRED, 0x10, 0x20, 0x40]) {
    const ask: Ask = { flags };
    const { flag_rd, flag_cd, flag_ad } = bed.ask("A", "www.google.com.", ask);
    assert.deepEqual([flag_rd, flag_cd, flag_ad], [(flags & 0x100) !== 0, (flags & 0x10) !== 0, false]);
  }
});
