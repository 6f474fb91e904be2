import { strict as assert } from "node:assert";
import { LOOPBACK_V6 } from "../net/address.ts";
import { MemoryNetwork } from "../net/testkit/memory_network.ts";
import { ListenError } from "../net/network.ts";
import { Bed, question } from "./testkit/dns_bed.ts";

/** A network whose loopback has no `::1`, with the error that the kernel returns. */
function without(code: string, part: "udp" | "listen" = "udp"): MemoryNetwork {
  const network = new MemoryNetwork();
  const refuse = (at: { address: { ip: string; port: number } }) => {
    if (at.address.ip === LOOPBACK_V6) throw new ListenError(`failed to bind: ${code}`, code, at.address as never);
  };
  if (part === "udp") {
    const udp = network.udp.bind(network);
    network.udp = (at, sink) => (refuse(at), udp(at, sink));
  } else {
    const listen = network.listen.bind(network);
    network.listen = (at, accept) => (refuse(at), listen(at, accept));
  }
  return network;
}

for (const code of ["EADDRNOTAVAIL", "EAFNOSUPPORT"]) {
  Deno.test(`DNS listeners: without ::1 (${code}) DNS is served at 127.0.0.1, and the log says so at info`, () => {
    const bed = new Bed({ network: without(code) });
    assert.equal(bed.ask("A", "www.google.com").answers.length, 1);
    assert.equal(bed.ask("A", "www.google.com", {}, "tcp").answers.length, 1);
    const told = bed.lines.filter((line) => line.includes("::1"));
    assert.equal(told.length, 1);
    assert.match(
      told[0]!,
      /^info dns::server the network namespace has no address ::1 .* DNS is served at 127\.0\.0\.1/,
    );
    bed.proxy.drain({ kind: "immediate" }, () => {});
    assert.equal(bed.exchange(question("A", "www.google.com")), null, "no listener is left");
  });
}

Deno.test("DNS listeners: any other failure at ::1 fails the start, and no listener is left", () => {
  for (const [code, part] of [["EADDRINUSE", "udp"], ["EACCES", "listen"]] as const) {
    const network = without(code, part);
    assert.throws(() => new Bed({ network }), new RegExp(code));
    // The ports are free.
    network.udp = MemoryNetwork.prototype.udp;
    network.listen = MemoryNetwork.prototype.listen;
    new Bed({ network, nameserver: "10.0.0.11" });
  }
});
