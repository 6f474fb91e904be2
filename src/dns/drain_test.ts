import { strict as assert } from "node:assert";
import { answered, Bed, decode, question } from "./testkit/dns_bed.ts";

const GRACEFUL = { kind: "graceful", deadline: 60_000 } as const;
const LINES = ["info dns::server shutting down the DNS server", "info dns::server dns server drained"];

function drain(bed: Bed, deadline: number = GRACEFUL.deadline) {
  const state = { drained: 0 };
  bed.proxy.drain({ kind: "graceful", deadline }, () => void state.drained++);
  return state;
}

Deno.test("drain: without queries in flight it ends at once", () => {
  const bed = new Bed();
  const state = drain(bed);
  bed.network.runUntilIdle();
  assert.equal(state.drained, 1);
  assert.deepEqual(bed.lines.slice(-2), LINES);
  assert.equal(bed.exchange(question("A", "www.google.com")), null);
});

Deno.test("drain: received queries are answered, by UDP and by TCP, and new ones are not accepted", () => {
  const bed = new Bed({ upstream: () => null });
  const [udp, tcp, late] = [bed.udpClient(), bed.tcpClient(), bed.udpClient()];
  udp.send(question("A", "www.example.com"));
  tcp.send(question("A", "other.example.com"));
  bed.network.runUntilIdle();
  udp.send(question("A", "www.google.com", { id: 1 }));
  const state = drain(bed);
  late.send(question("A", "www.google.com"));
  bed.network.runUntilIdle();
  assert.deepEqual([state.drained, udp.received.length, late.received.length], [0, 1, 0]);
  bed.upstream.script = () => ({ flags: answered(3) });
  bed.network.advance(6000);
  assert.deepEqual(udp.received.map((bytes) => decode(bytes).rcode), ["NOERROR", "NXDOMAIN"]);
  assert.equal(state.drained, 1);
});

Deno.test("drain: a TCP client without a query so far may send one; one that has been served is closed", () => {
  const bed = new Bed();
  const [fresh, served] = [bed.tcpClient(), bed.tcpClient()];
  served.send(question("A", "www.google.com"));
  bed.network.runUntilIdle();
  const state = drain(bed);
  bed.network.runUntilIdle();
  assert.deepEqual([fresh.closed, served.closed, state.drained], [false, true, 0]);
  fresh.send(question("A", "www.google.com"));
  bed.network.runUntilIdle();
  assert.deepEqual([fresh.received.length, fresh.closed, state.drained], [1, true, 1]);
});

Deno.test("drain: it ends after 5 s, or at its deadline", () => {
  for (const [deadline, expected] of [[60_000, 5000], [1000, 1000]] as const) {
    const bed = new Bed({ upstream: () => null });
    const client = bed.udpClient();
    client.send(question("A", "www.example.com"));
    bed.network.runUntilIdle();
    const state = drain(bed, deadline);
    bed.network.advance(expected - 1);
    assert.equal(state.drained, 0);
    bed.network.advance(1);
    assert.equal(state.drained, 1);
    bed.network.advance(60_000);
    assert.deepEqual([client.received.length, state.drained], [0, 1]);
  }
});

Deno.test("drain: an immediate drain ends a graceful one, and each callback is called once", () => {
  const bed = new Bed({ upstream: () => null });
  bed.udpClient().send(question("A", "www.example.com"));
  bed.network.runUntilIdle();
  const state = drain(bed);
  bed.proxy.drain(GRACEFUL, () => void state.drained++);
  bed.proxy.drain({ kind: "immediate" }, () => void state.drained++);
  assert.equal(state.drained, 3);
  bed.proxy.drain(GRACEFUL, () => void state.drained++);
  assert.equal(state.drained, 4);
  assert.deepEqual(bed.lines.slice(-2), LINES);
});
