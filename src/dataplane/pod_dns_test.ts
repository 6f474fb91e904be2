import { strict as assert } from "node:assert";
import { decode, question } from "../dns/testkit/dns_bed.ts";
import { LOOPBACK_V4, parseIp } from "../net/address.ts";
import type { HostNetwork } from "../hbone/testkit/network.ts";
import { Testbed } from "./testkit/testbed.ts";

const DNS = { ISTIO_META_DNS_CAPTURE: "true" };
const SERVER = { ip: LOOPBACK_V4, port: 15053 };

/** The answer to an application of this host by UDP. */
function ask(host: HostNetwork, type: string, name: string): Uint8Array | null {
  const received: Uint8Array[] = [];
  const client = host.udp({ address: { ip: LOOPBACK_V4, port: 0 } }, { onDatagram: (b) => received.push(b.slice()) });
  client.send(question(type, name), SERVER);
  host.memory.advance(10);
  client.close();
  return received[0] ?? null;
}

Deno.test("inpod B5.1: a pod's DNS proxy listens first, and ends at once when the pod drains", () => {
  const bed = new Testbed();
  const node = bed.node("a", "10.0.0.1", { env: DNS });
  assert.match(node.lines[0]!, /^info dns::server starting local DNS server address=localhost:15053 component="dns"$/);
  const answer = decode(ask(node.host, "A", "localhost.")!);
  assert.deepEqual(answer.answers.map(({ data }) => data), ["127.0.0.1"]);
  node.drain();
  const lines = node.lines.filter((line) => line.includes("dns::server"));
  assert.deepEqual(lines.slice(1), [
    "info dns::server shutting down the DNS server",
    "info dns::server dns server drained",
  ]);
  assert.equal(ask(node.host, "A", "localhost."), null);
  bed.advance(6000);
  assert.ok(node.drained);
});

Deno.test("inpod B5.11: queries to nameservers are sent from the pod's namespace", () => {
  const bed = new Testbed();
  const node = bed.node("a", "10.0.0.1", { env: DNS });
  const nameserver = bed.host("10.0.0.10");
  const asked: string[] = [];
  nameserver.udp({ address: { ip: parseIp("10.0.0.10")!, port: 53 } }, {
    onDatagram: (bytes, from) => void asked.push(`${from.ip} ${decode(bytes).questions[0]!.name}`),
  });
  assert.equal(ask(node.host, "A", "www.example.com"), null);
  assert.deepEqual(asked, ["10.0.0.1 www.example.com"]);
  node.stop();
  bed.run();
});

for (const text of ["", "search example.com\n", "nameserver not-an-address\n"]) {
  Deno.test(`inpod B5.1: a resolv.conf of ${JSON.stringify(text)} fails the pod's start, and nothing is left`, () => {
    const bed = new Testbed();
    const start = () => bed.node("a", "10.0.0.1", { env: DNS, files: { "/etc/resolv.conf": text } });
    assert.throws(start, { message: "no nameservers found in config" });
    // Every port is free again.
    bed.node("a", "10.0.0.1", { env: DNS }).stop();
    bed.run();
  });
}

Deno.test("inpod A1.5: a port of the DNS proxy in use fails the pod's start, and nothing is left", () => {
  const bed = new Testbed();
  const taken = bed.host("10.0.0.1").udp({ address: SERVER }, { onDatagram() {} });
  const start = () => bed.node("a", "10.0.0.1", { env: DNS });
  assert.throws(start, /failed to bind to address 127\.0\.0\.1:15053: Address already in use/);
  taken.close();
  start().stop();
  bed.run();
});

Deno.test("inpod A1.5: a port of the proxy in use ends the DNS proxy of that pod too", () => {
  const bed = new Testbed();
  const host = bed.host("10.0.0.1");
  const taken = host.listen({ address: { ip: LOOPBACK_V4, port: 15008 } }, ({ duplex }) => duplex.close());
  const start = () => bed.node("a", "10.0.0.1", { env: DNS });
  assert.throws(start, /15008/);
  taken.close();
  start().stop();
  bed.run();
});
