/** A connection whose endpoint cannot be reached tries another one of the service (`docs/spec/dataplane.md` 1.5.3). */
import { strict as assert } from "node:assert";
import { ErrorCode } from "../h2/seam.ts";
import { goAway } from "../h2/testkit/frames.ts";
import { SeveralEndpoints } from "../dataplane/testkit/several_endpoints.ts";
import type { TestSocket } from "../hbone/testkit/socket.ts";

const REFUSED = "io error: Connection refused (os error 111)";
const SILENT = "connection timed out, maybe a NetworkPolicy is blocking HBONE port 15008: deadline has elapsed";

/** Ends the client's connection, and checks that it was served by web-2 after one failed attempt, and what was logged. */
function assertServedBySecond(bed: SeveralEndpoints, client: TestSocket, error: string | RegExp): void {
  assert.equal(client.text, "web-2", bed.client.access.join("\n"));
  client.duplex.close(true);
  bed.run();
  const [attempt, complete, ...others] = bed.outcomes;
  assert.deepEqual([complete, others], ["complete web-2", []]);
  const [, text] = /^attempt 1 web-1: (.*)$/.exec(attempt ?? "") ?? assert.fail(attempt);
  if (typeof error === "string") assert.equal(text, error);
  else assert.match(text!, error);
  assert.deepEqual(
    bed.counted,
    { opened: 1, closed: 1, failed: 0 },
    "one connection for the client is one in counters",
  );
  bed.assertClean();
}

/** Failures of web-1, by what it does with HBONE. `ms`: how long that takes. */
const HBONE: readonly { what: string; prepare(bed: SeveralEndpoints): void; ms?: number; error: string | RegExp }[] = [
  { what: "refuses TCP", prepare: () => {}, error: REFUSED },
  { what: "does not answer SYNs", prepare: (bed) => bed.memory.blackhole(bed.address(1)), ms: 3333, error: SILENT },
  {
    what: "accepts TCP and sends nothing",
    prepare: (bed) => void bed.listen("10.0.0.2:15008"),
    ms: 3333,
    error: "io error: the peer did not finish the TLS handshake in time",
  },
  {
    what: "closes in the handshake",
    prepare: (bed) => void bed.listen("10.0.0.2:15008", (socket) => socket.duplex.close()),
    error: /^io error: /,
  },
  {
    what: "has another identity",
    prepare: (bed) => void bed.serveHbone(1, undefined, "other"),
    error: /^io error: identity verification error: peer did not present the expected SAN/,
  },
  { what: "answers 503", prepare: (bed) => answer(bed, "503"), error: "http status: 503 Service Unavailable" },
  { what: "answers 502", prepare: (bed) => answer(bed, "502"), error: "http status: 502 Bad Gateway" },
  { what: "answers 504", prepare: (bed) => answer(bed, "504"), error: "http status: 504 Gateway Timeout" },
  {
    what: "resets the stream",
    prepare: (bed) => void bed.serveHbone(1, (stream) => stream.reset(ErrorCode.INTERNAL_ERROR)),
    error: /^h2 failed: stream error received: /,
  },
  {
    what: "refuses the stream, also on a second connection",
    prepare: (bed) => void bed.serveHbone(1, (stream) => stream.reset(ErrorCode.REFUSED_STREAM)),
    error: /^h2 failed: stream error received: refused stream/,
  },
  {
    what: "sends GOAWAY, also on a second connection",
    prepare: (bed) => void bed.serveHbone(1, (_stream, _headers, peer) => void peer.duplex.write(goAway(0))),
    error: /^h2 failed: stream error received: refused stream/,
  },
  {
    what: "breaks the connection",
    prepare: (bed) => void bed.serveHbone(1, (_stream, _headers, peer) => peer.close(true)),
    error: /^h2 failed: stream closed because of a broken pipe/,
  },
];

function answer(bed: SeveralEndpoints, status: string): void {
  bed.serveHbone(1, (stream) => {
    stream.respond([[":status", status]], true);
    stream.reset(ErrorCode.NO_ERROR);
  });
}

for (const { what, prepare, ms = 0, error } of HBONE) {
  Deno.test(`next endpoint, HBONE: the first one ${what}`, () => {
    const bed = new SeveralEndpoints({ protocol: "HBONE" });
    prepare(bed);
    bed.serveHbone(2);
    const client = bed.call();
    client.send("early");
    if (ms > 0) {
      bed.advance(ms - 1);
      assert.equal(client.text, "");
      bed.advance(1);
    }
    assertServedBySecond(bed, client, error);
  });
}

Deno.test("next endpoint, TCP: the first one refuses", () => {
  const bed = new SeveralEndpoints();
  const sockets = bed.serve(2);
  const client = bed.call();
  client.send("early");
  bed.run();
  assert.equal(sockets[0]!.text, "early", "what the client sent early is delivered once");
  assertServedBySecond(bed, client, REFUSED);
});

Deno.test("next endpoint, TCP: the first one does not answer SYNs, which takes a third of the connect budget", () => {
  const bed = new SeveralEndpoints();
  bed.memory.blackhole(bed.address(1));
  bed.serve(2);
  const client = bed.call();
  bed.advance(3332);
  assert.deepEqual(bed.dialled(), ["web-1"]);
  bed.advance(1);
  assertServedBySecond(bed, client, "io error: deadline has elapsed");
});

Deno.test("next endpoint: with the default CONNECT_TIMEOUT the last attempt outlasts a network that is away for 20 s", () => {
  const bed = new SeveralEndpoints({ client: { env: { CONNECT_TIMEOUT: "30s" } } });
  for (const endpoint of [1, 2, 3]) bed.memory.blackhole(bed.address(endpoint));
  const client = bed.call();
  bed.advance(3499);
  assert.deepEqual(bed.dialled(), ["web-1"]);
  bed.advance(1);
  assert.deepEqual(bed.dialled(), ["web-2"]);
  bed.advance(3500);
  assert.deepEqual(bed.dialled(), ["web-3"]);
  bed.advance(22_999);
  assert.equal(client.fate, "open");
  bed.advance(1);
  assert.notEqual(client.fate, "open");
  bed.assertClean();
});

for (const protocol of ["TCP", "HBONE"] as const) {
  Deno.test(`next endpoint, ${protocol}: IPv6`, () => {
    const bed = new SeveralEndpoints({ protocol, ips: ["fd00::2", "fd00::3"] });
    if (protocol === "TCP") bed.serve(2);
    else bed.serveHbone(2);
    assertServedBySecond(bed, bed.call6(), REFUSED);
  });

  Deno.test(`next endpoint, ${protocol}: of four that refuse three are tried`, () => {
    const bed = new SeveralEndpoints({ protocol, ips: ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5"] });
    const client = bed.call();
    assert.notEqual(client.failure, null, "the client gets a reset");
    assert.deepEqual(bed.dialled(), ["web-1", "web-2", "web-3"]);
    assert.deepEqual(bed.outcomes, [
      `attempt 1 web-1: ${REFUSED}`,
      `attempt 2 web-2: ${REFUSED}`,
      `complete web-3: ${REFUSED}`,
    ]);
    assert.deepEqual(bed.counted, { opened: 1, closed: 1, failed: 1 });
    bed.assertClean();
  });

  Deno.test(`next endpoint, ${protocol}: three that do not answer SYNs take 10 s together`, () => {
    const bed = new SeveralEndpoints({ protocol });
    for (const endpoint of [1, 2, 3]) bed.memory.blackhole(bed.address(endpoint));
    const client = bed.call();
    const dialledAt: string[] = [];
    for (const ms of [3333, 3333, 3333]) {
      dialledAt.push(...bed.dialled());
      assert.equal(client.fate, "open");
      bed.advance(ms);
    }
    assert.deepEqual(dialledAt, ["web-1", "web-2", "web-3"]);
    assert.equal(client.fate, "open");
    bed.advance(1);
    assert.notEqual(client.fate, "open");
    assert.equal(bed.outcomes.length, 3);
    bed.assertClean();
  });

  Deno.test(`next endpoint, ${protocol}: of two, the second has the rest of the 10 s`, () => {
    const bed = new SeveralEndpoints({ protocol, ips: ["10.0.0.2", "10.0.0.3"] });
    for (const endpoint of [1, 2]) bed.memory.blackhole(bed.address(endpoint));
    const client = bed.call();
    bed.advance(9999);
    assert.deepEqual([client.fate, bed.dialled()], ["open", ["web-1", "web-2"]]);
    bed.advance(1);
    assert.notEqual(client.fate, "open");
    bed.assertClean();
  });

  Deno.test(`next endpoint, ${protocol}: a service with one endpoint has the whole 10 s for it`, () => {
    const bed = new SeveralEndpoints({ protocol, ips: ["10.0.0.2"] });
    bed.memory.blackhole(bed.address(1));
    const client = bed.call();
    bed.advance(9999);
    assert.equal(client.fate, "open");
    bed.advance(1);
    assert.notEqual(client.fate, "open");
    assert.deepEqual(bed.dialled(), ["web-1"]);
    bed.assertClean();
  });

  Deno.test(`next endpoint, ${protocol}: a client that resets between two attempts ends the second one`, () => {
    const bed = new SeveralEndpoints({ protocol });
    bed.memory.blackhole(bed.address(2));
    const client = bed.call();
    assert.deepEqual(bed.dialled(), ["web-1", "web-2"]);
    client.duplex.close(true);
    bed.run();
    assert.equal(bed.client.held.dials, protocol === "TCP" ? 0 : 1, "the pool's own dial goes on");
    bed.advance(20_000);
    assert.deepEqual(bed.dialled(), []);
    assert.equal(bed.outcomes.length, 2);
    bed.assertClean();
  });
}

for (const status of ["400", "401", "403", "404", "429"]) {
  Deno.test(`next endpoint: a peer that refuses the call with ${status} ends it at once`, () => {
    const bed = new SeveralEndpoints({ protocol: "HBONE" });
    answer(bed, status);
    bed.serveHbone(2);
    const client = bed.call();
    assert.notEqual(client.fate, "open");
    assert.deepEqual(bed.dialled(), ["web-1"]);
    assert.match(bed.outcomes.join(), new RegExp(`^complete web-1: http status: ${status}`));
    assert.equal(bed.client.plane.state.health!.size, 0, "nothing is wrong with the endpoint");
    bed.assertClean();
  });
}

Deno.test("next endpoint: without a certificate of our own no other is tried", () => {
  const bed = new SeveralEndpoints({ protocol: "HBONE" });
  bed.client.certificates = "refuse";
  bed.serveHbone(2);
  const client = bed.call();
  assert.notEqual(client.fate, "open");
  assert.deepEqual(bed.dialled(), []);
  assert.deepEqual(bed.outcomes, ["complete web-1: identity error: the CA is not there"]);
  assert.equal(bed.client.plane.state.health!.size, 0);
  bed.assertClean();
});

Deno.test("next endpoint: waiting for a certificate of our own does not count against the endpoint", () => {
  const bed = new SeveralEndpoints({ protocol: "HBONE" });
  bed.client.certificates = "hold";
  bed.serveHbone(1);
  const client = bed.call();
  bed.advance(8000);
  assert.equal(client.fate, "open");
  bed.client.issueCertificate();
  bed.run();
  assert.equal(client.text, "web-1");
  client.duplex.close(true);
  bed.assertClean();
});

Deno.test("next endpoint: a peer that vanished with its connection open is left for another one", () => {
  const bed = new SeveralEndpoints({ protocol: "HBONE" });
  const { peers } = bed.serveHbone(1);
  bed.serveHbone(2);
  assert.equal(bed.served(), "web-1");
  peers[0]!.duplex.start({ onReadable() {}, onWritable() {}, onFailure() {} });
  bed.memory.blackhole(bed.address(1));
  bed.advance(1001);
  const client = bed.call();
  bed.advance(3999);
  assert.equal(client.text, "web-2");
  client.duplex.close(true);
  bed.run();
  const error = "io error: the peer has vanished: it answers neither the CONNECT nor a PING";
  assert.deepEqual(bed.outcomes.slice(1), [`attempt 1 web-1: ${error}`, "complete web-2"]);
  bed.assertClean();
});

Deno.test("next endpoint: a drain while an attempt is in flight cuts the connection, and no other attempt begins", () => {
  const bed = new SeveralEndpoints();
  bed.memory.blackhole(bed.address(1));
  const client = bed.call();
  bed.client.drain(1000);
  bed.advance(1000);
  assert.notEqual(client.fate, "open");
  bed.advance(20_000);
  assert.deepEqual(bed.dialled(), ["web-1"]);
  bed.assertClean();
});

Deno.test("next endpoint: an endpoint that leaves the mesh during the attempt is not tried", () => {
  const bed = new SeveralEndpoints({ ips: ["10.0.0.2", "10.0.0.3"] });
  bed.memory.blackhole(bed.address(1));
  const client = bed.call();
  bed.apply({ kind: "remove-address", name: "Kubernetes//Pod/default/web-2" });
  bed.advance(3333);
  assert.notEqual(client.fate, "open");
  assert.deepEqual([bed.dialled(), bed.outcomes], [["web-1"], ["complete web-1: io error: deadline has elapsed"]]);
  bed.assertClean();
});

Deno.test("next endpoint: the debug log names each further attempt", () => {
  const bed = new SeveralEndpoints({ client: { logFilter: "debug" } });
  bed.serve(2);
  bed.served();
  const lines = bed.client.lines.filter((line) => line.includes("trying another endpoint"));
  assert.equal(lines.length, 1);
  assert.match(
    lines[0]!,
    /^debug \S+ trying another endpoint dst\.addr=10\.0\.0\.3:8080 dst\.workload="web-2" attempt=2/,
  );
  bed.assertClean();
});
