/** Connections that live longer than the certificates, and the trust, that they were made with. */
import { strict as assert } from "node:assert";
import type { HeaderList } from "../h2/seam.ts";
import { TestIssuer } from "../hbone/testkit/identity.ts";
import { rawClient } from "../hbone/testkit/peer.ts";
import { at, echo, Testbed } from "../dataplane/testkit/testbed.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2", APP = `${SERVER}:8080`;
const MINUTE = 60_000;
const CONNECT: HeaderList = [[":method", "CONNECT"], [":authority", APP]];

Deno.test("inbound: after its peer's certificate has expired a connection takes no more requests, and open streams continue", () => {
  const bed = new Testbed();
  bed.node("server", SERVER);
  bed.listen(APP, echo);
  bed.issuer.lifetime = MINUTE;
  const context = bed.context("spiffe://cluster.local/ns/default/sa/peer");
  bed.issuer.lifetime = 24 * 60 * MINUTE;
  const peer = rawClient(bed.host(CLIENT), at(`${SERVER}:15008`), context);
  const stream = peer.open(CONNECT);
  bed.advance(MINUTE);
  assert.equal(peer.h2.canOpen, true);
  bed.advance(2);
  assert.equal(peer.h2.canOpen, false);
  const room = stream.stream.reserve(5, 1 << 16)!;
  room.bytes.set(new TextEncoder().encode("hello"), room.segments[0]!);
  stream.stream.commit(5, true);
  peer.transport.flushSoon();
  bed.run();
  assert.equal(stream.text, "hello");
  assert.notEqual(peer.end, null, "its last stream has ended");
  bed.assertClean();
});

for (const which of ["server", "client"] as const) {
  Deno.test(`outbound: a connection whose ${which} has an expired certificate takes no new tunnels`, () => {
    const bed = new Testbed();
    const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
    bed.listen(APP, echo);
    const short = which === "server" ? server : client;
    bed.issuer.lifetime = MINUTE;
    short.issueCertificate();
    bed.issuer.lifetime = 24 * 60 * MINUTE;
    const first = bed.connect(CLIENT, APP).send("one");
    bed.advance(MINUTE / 2);
    short.issueCertificate();
    const second = bed.connect(CLIENT, APP).send("two");
    bed.run();
    assert.equal(server.pod.connectionCount, 3, "two streams on one connection");
    bed.advance(MINUTE);
    const third = bed.connect(CLIENT, APP).send("three");
    first.send("-go-on");
    bed.run();
    assert.deepEqual([first.text, second.text, third.text], ["one-go-on", "two", "three"]);
    assert.equal(server.pod.connectionCount, 5, "three streams on two connections");
    for (const app of [first, second, third]) app.end();
    bed.assertClean();
  });
}

const another = new TestIssuer("Another");

Deno.test("inbound: an additional root has no effect on a connection; without its peer's root it takes no more requests", () => {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  bed.listen(APP, echo);
  const peer = rawClient(
    bed.host(CLIENT),
    at(`${SERVER}:15008`),
    bed.context("spiffe://cluster.local/ns/default/sa/peer"),
  );
  const stream = peer.open(CONNECT);
  bed.run();
  const [own] = bed.issuer.anchors, [other] = another.anchors;
  for (const [anchors, takesMore] of [[[own!, other!], true], [[other!], false]] as const) {
    bed.issuer.anchors = anchors;
    server.issueCertificate();
    bed.run();
    assert.equal(peer.h2.canOpen, takesMore);
  }
  assert.equal(stream.stream.closed, false);
  peer.close();
  bed.assertClean();
});

for (const how of ["withdrawn", "without its server's root"] as const) {
  Deno.test(`outbound: when a certificate is ${how}, old connections take no new tunnels`, () => {
    const bed = new Testbed();
    const client = bed.node("client", CLIENT), server = bed.node("server", SERVER);
    bed.listen(APP, echo);
    const first = bed.connect(CLIENT, APP).send("one");
    bed.run();
    client.issueCertificate();
    const second = bed.connect(CLIENT, APP).send("two");
    bed.run();
    assert.equal(server.pod.connectionCount, 3, "a renewal alone is no reason");
    if (how === "withdrawn") {
      client.certificates = "refuse";
      client.plane.credentials.withdraw(client.id);
    } else {
      bed.issuer.anchors = another.anchors;
      client.issueCertificate();
    }
    bed.run();
    const third = bed.connect(CLIENT, APP).send("three");
    first.send("-go-on");
    bed.run();
    assert.deepEqual([first.text, second.text], ["one-go-on", "two"]);
    if (how === "withdrawn") assert.match(client.access.at(-1)!, /the CA is not there/);
    // TLS in memory has no signatures: there the peer is verified again and accepted.
    else assert.equal(server.pod.connectionCount, 5, "another connection");
    for (const app of [first, second, third]) app.end();
    bed.assertClean();
  });
}
