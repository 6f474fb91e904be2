import { strict as assert } from "node:assert";
import { parseIp } from "../net/address.ts";
import type { Duplex } from "../net/duplex.ts";
import { framed, FrameReader } from "./frames.ts";
import { answered, Bed, decode, encode, question } from "./testkit/dns_bed.ts";

const SOA = { mname: "ns", rname: "me", serial: 1, refresh: 1, retry: 1, expire: 1, minimum: 1 };

/** A numbered message of a zone. */
function part(id: number, number: number): Uint8Array {
  const questions = number === 0 ? [{ type: "AXFR", name: "example.com" }] : [];
  const answers = [
    { name: "example.com", type: "SOA", ttl: 1, data: SOA },
    ...Array.from(
      { length: 200 },
      (_, i) => ({ name: `h${number}-${i}.example.com`, type: "A", ttl: 1, data: "1.2.3.4" }),
    ),
  ];
  return encode({ type: "response", id, flags: answered() | 0x400, questions, answers });
}

interface ZoneServer {
  readonly asked: Uint8Array[];
  readonly streams: Duplex[];
}

/** A nameserver that sends a zone in so many messages, as fast as its client reads, and then closes. */
function serveZone(bed: Bed, ip: string, parts: number): ZoneServer {
  const server: ZoneServer = { asked: [], streams: [] };
  const address = { ip: parseIp(ip)!, port: 53 };
  bed.network.listen({ address, reusePort: true }, ({ duplex }) => {
    server.streams.push(duplex);
    const frames = new FrameReader();
    let outbox = new Uint8Array(0);
    const write = () => {
      outbox = outbox.subarray(Math.max(0, duplex.write(outbox)));
      if (outbox.length === 0 && server.asked.length > 0 && parts > 0) duplex.end();
      if (duplex.ended) duplex.close();
    };
    const onReadable = () => {
      while (frames.readFrom(duplex) > 0);
      for (let frame = frames.next(); frame !== null; frame = frames.next()) {
        const own = frame.slice();
        server.asked.push(own);
        const zone = Array.from({ length: parts }, (_, number) => framed(part(decode(own).id, number)));
        outbox = new Uint8Array(zone.flatMap((bytes) => [...bytes]));
      }
      write();
      if (duplex.broken || duplex.ended) duplex.close();
    };
    duplex.start({ onReadable, onWritable: write, onFailure: () => duplex.close() });
    if (duplex.readable) onReadable();
  });
  return server;
}

function withServers(...nameservers: readonly string[]): Bed {
  return new Bed({ resolver: nameservers.map((ip) => `nameserver ${ip}\n`).join("") });
}

Deno.test("zone transfer: every message and the end of the stream are forwarded", () => {
  const bed = withServers("10.0.0.20");
  const server = serveZone(bed, "10.0.0.20", 30);
  const client = bed.tcpClient();
  const request = question("AXFR", "example.com", { id: 0x1234 });
  client.send(request);
  bed.network.runUntilIdle();
  assert.deepEqual(server.asked, [request]);
  assert.equal(client.received.length, 30);
  client.received.forEach((bytes, number) => assert.deepEqual([...bytes], [...part(0x1234, number)]));
  client.duplex.end();
  bed.network.runUntilIdle();
  assert.deepEqual([client.closed, bed.proxy.connectionCount], [true, 0]);
  assert.equal(bed.count("istio_dns_upstream_requests", 'request_query_type="axfr",request_protocol="tcp"'), 1);
  assert.equal(bed.count("istio_dns_upstream_failures"), 0);
});

Deno.test("zone transfer: bytes after the question are forwarded", () => {
  const bed = withServers("10.0.0.20");
  const server = serveZone(bed, "10.0.0.20", 1);
  const client = bed.tcpClient();
  const both = [question("IXFR", "example.com", { id: 1 }), question("SOA", "example.com", { id: 2 })];
  client.duplex.write(new Uint8Array(both.flatMap((bytes) => [...framed(bytes)])));
  bed.network.runUntilIdle();
  assert.deepEqual(server.asked, both);
  client.close();
});

Deno.test("zone transfer: the next nameserver is tried where one cannot be reached; without any, SERVFAIL", () => {
  const bed = withServers("10.0.0.30", "10.0.0.20");
  serveZone(bed, "10.0.0.20", 2);
  const client = bed.tcpClient();
  client.send(question("AXFR", "example.com"));
  bed.network.runUntilIdle();
  assert.equal(client.received.length, 2);
  client.close();
  const alone = withServers("10.0.0.30");
  const answer = decode(alone.exchange(question("AXFR", "example.com"), "tcp", 100)!);
  assert.equal(answer.rcode, "SERVFAIL");
  assert.equal(alone.count("istio_dns_upstream_failures"), 1);
});

Deno.test("zone transfer: it ends when the client or the proxy ends", () => {
  for (const end of ["client", "proxy"] as const) {
    const bed = withServers("10.0.0.20");
    const server = serveZone(bed, "10.0.0.20", 0);
    const client = bed.tcpClient();
    client.send(question("AXFR", "example.com"));
    bed.network.advance(20_000);
    assert.deepEqual([client.closed, bed.proxy.connectionCount, server.streams.length], [false, 1, 1]);
    if (end === "client") client.duplex.close(true);
    else bed.proxy.drain({ kind: "immediate" }, () => {});
    bed.network.runUntilIdle();
    assert.equal(bed.proxy.connectionCount, 0);
    assert.ok(server.streams[0]!.broken || server.streams[0]!.ended);
    assert.ok(end === "client" || client.closed);
  }
});

Deno.test("zone transfer: by UDP it is forwarded as any other question", () => {
  const bed = new Bed({ upstream: () => ({ flags: answered() }) });
  assert.equal(bed.ask("IXFR", "example.com").rcode, "NOERROR");
});

Deno.test("zone transfer: 16 may be in progress at a time, not counting those that have ended", () => {
  const bed = withServers("10.0.0.20");
  serveZone(bed, "10.0.0.20", 0);
  const clients = Array.from({ length: 17 }, () => bed.tcpClient());
  for (const client of clients) client.send(question("AXFR", "example.com"));
  bed.network.runUntilIdle();
  assert.deepEqual(clients.map(({ received }) => received.length).slice(15), [0, 1]);
  assert.equal(decode(clients[16]!.received[0]!).rcode, "SERVFAIL");
  clients[0]!.duplex.close(true);
  bed.network.runUntilIdle();
  clients[16]!.send(question("AXFR", "example.com"));
  bed.network.runUntilIdle();
  assert.equal(clients[16]!.received.length, 1);
});
