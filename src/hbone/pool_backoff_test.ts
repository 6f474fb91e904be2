/** A pool whose peer cannot be reached: how often it dials, and which requests wait (`dial_backoff.ts`). */
import { strict as assert } from "node:assert";
import { CLIENT, issuer, ONE, PoolBed, SERVER, SERVER_AT, type TestRequest } from "./testkit/pool.ts";
import { rawServer } from "./testkit/peer.ts";
import { parseIp } from "../net/address.ts";

const REFUSED = "io error: Connection refused (os error 111)";

/** A pool whose server does not listen, after one request that failed. The next dial is allowed 75 ms later. */
function failed(): PoolBed {
  const bed = new PoolBed();
  bed.served.listener.close();
  const request = bed.request();
  bed.memory.runUntilIdle();
  assert.equal(request.failure?.message, REFUSED);
  assert.equal(bed.client.dialled.length, 1);
  return bed;
}

/** The server listens again. */
function recover(bed: PoolBed): void {
  rawServer(bed.server, SERVER_AT, issuer.credential(SERVER).context);
}

const outcome = ({ failure, stream }: TestRequest) => failure?.message ?? (stream === null ? "waits" : "open");

Deno.test("requests after a failed attempt wait, share the next attempt and fail with it", () => {
  const bed = failed();
  const requests = [bed.request(), bed.request()];
  bed.memory.advance(74);
  requests.push(bed.request());
  assert.deepEqual([requests.map(outcome), bed.client.dialled.length], [["waits", "waits", "waits"], 1]);
  bed.memory.advance(1);
  assert.deepEqual([requests.map(outcome), bed.client.dialled.length], [[REFUSED, REFUSED, REFUSED], 2]);
  bed.assertClean();
});

Deno.test("1,000 requests a second to a peer that refuses: two dials a second, and each request ends within one", () => {
  const bed = failed();
  bed.memory.advance(1000);
  const before = bed.client.dialled.length;
  const requests: TestRequest[] = [];
  for (let i = 0; i < 10_000; i++) {
    requests.push(bed.request());
    bed.memory.advance(1);
    if (i >= 1000) assert.equal(outcome(requests[i - 1000]!), REFUSED);
  }
  const dials = bed.client.dialled.length - before;
  assert.ok(dials >= 10 && dials <= 20, `${dials} dials in 10 s`);
  bed.memory.advance(1000);
  bed.assertClean();
});

Deno.test("a peer that works again is reached within a second, and then without waits", () => {
  const bed = failed();
  for (let i = 0; i < 10; i++) {
    bed.request();
    bed.memory.advance(1000);
  }
  bed.request();
  bed.memory.advance(750);
  recover(bed);
  const waiting = bed.request();
  assert.equal(outcome(waiting), "waits");
  bed.memory.advance(750);
  assert.equal(outcome(waiting), "open");
  bed.hold(1);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("while attempts fail one connection is made, however many requests wait; afterwards as many as they need", () => {
  const bed = failed();
  const requests = Array.from({ length: 350 }, () => bed.request());
  bed.memory.blackhole(SERVER_AT);
  bed.memory.advance(100);
  requests.push(...Array.from({ length: 350 }, () => bed.request()));
  assert.equal(bed.client.dialled.length, 2);
  bed.memory.advance(10_000);
  assert.ok(requests.every(({ failure }) => failure?.flag === "NETWORK_POLICY"));
  assert.equal(bed.client.dialled.length, 2);
  bed.assertClean();
});

Deno.test("requests to another peer do not wait, nor do those of another client", () => {
  const bed = failed();
  const other = bed.request(parseIp("10.0.0.9")!);
  bed.memory.runUntilIdle();
  assert.deepEqual([outcome(other), bed.client.dialled.length], [REFUSED, 2]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("beyond 4096 requests that wait for the next attempt, a new one fails at once", () => {
  const bed = failed();
  const requests = Array.from({ length: 4096 }, () => bed.request());
  const text = "io error: connections to this peer fail, and 4096 requests wait for the next attempt already";
  assert.equal(outcome(bed.request()), text);
  requests[0]!.opening.abort();
  assert.equal(outcome(bed.request()), "waits");
  assert.equal(outcome(bed.request()), text);
  bed.dropPool();
  assert.equal(outcome(requests[1]!), "pool draining");
  bed.assertClean();
});

Deno.test("when all requests that waited were aborted, nothing is dialled and nothing is left", () => {
  const bed = failed();
  const request = bed.request();
  request.opening.abort();
  bed.memory.advance(100);
  assert.deepEqual([bed.client.dialled.length, outcome(request)], [1, "waits"]);
  bed.assertClean();
});

Deno.test("closing a pool ends the wait", () => {
  const bed = failed();
  const request = bed.request();
  bed.pool.close();
  assert.equal(outcome(request), "pool draining");
  bed.assertClean();
  bed.memory.advance(1000);
  assert.equal(bed.client.dialled.length, 1);
});

Deno.test("a certificate of ours that is missing causes no wait: nothing was dialled", () => {
  const bed = new PoolBed();
  bed.credentials.ready = null;
  const first = bed.request();
  bed.credentials.refuse("no");
  assert.equal(outcome(first), "identity error: no");
  bed.credentials.ready = issuer.credential(CLIENT);
  bed.hold(1);
  bed.dropPool();
  bed.assertClean();
});

const RECENT = `${REFUSED} (a recent attempt, and the next one has not succeeded yet)`;

Deno.test("a request that has alternatives does not wait for the next attempt, unless it is the one that causes it", () => {
  const bed = failed();
  assert.equal(outcome(bed.request(ONE, { hasAlternatives: true })), RECENT);
  bed.memory.advance(75);
  bed.memory.blackhole(SERVER_AT);
  const next = bed.request(ONE, { hasAlternatives: true });
  assert.equal(outcome(bed.request(ONE, { hasAlternatives: true })), RECENT, "an attempt is in flight");
  assert.deepEqual([outcome(next), bed.client.dialled.length], ["waits", 2]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a request with a time limit for its connection leaves the attempt to later requests", () => {
  const bed = new PoolBed();
  bed.memory.blackhole(SERVER_AT);
  const patient = bed.request();
  const request = bed.request(ONE, { connectTimeout: 3000 });
  bed.memory.advance(2999);
  assert.equal(outcome(request), "waits");
  bed.memory.advance(1);
  assert.equal(request.failure?.flag, "NETWORK_POLICY");
  assert.equal(outcome(patient), "waits");
  bed.memory.advance(7000);
  assert.equal(patient.failure?.flag, "NETWORK_POLICY");
  assert.equal(bed.client.dialled.length, 1);
  bed.assertClean();
});

Deno.test("the time limit of a request covers the handshake, and not the wait for our own certificate or the response", () => {
  const silent = new PoolBed();
  silent.served.listener.close();
  silent.server.listen({ address: SERVER_AT }, () => {});
  const first = silent.request(ONE, { connectTimeout: 3000 });
  silent.memory.advance(3000);
  assert.match(first.failure!.message, /TLS handshake/);
  silent.dropPool();
  silent.assertClean();
  const bed = new PoolBed({ prepare: (peer) => peer.answer = () => {} });
  bed.credentials.ready = null;
  const second = bed.request(ONE, { connectTimeout: 3000 });
  bed.memory.advance(8000);
  assert.equal(outcome(second), "waits");
  bed.credentials.deliver(issuer.credential(CLIENT));
  bed.memory.advance(5000);
  assert.deepEqual([outcome(second), second.opening.phase], ["waits", "requesting"]);
  bed.dropPool();
  bed.assertClean();
});

Deno.test("a request that has alternatives does not join a dial that has had no answer for 1.5 s", () => {
  const bed = new PoolBed();
  bed.memory.blackhole(SERVER_AT);
  const first = bed.request(ONE, { hasAlternatives: true, connectTimeout: 3500 });
  bed.memory.advance(1499);
  const second = bed.request(ONE, { hasAlternatives: true });
  bed.memory.advance(1);
  const third = bed.request(ONE, { hasAlternatives: true });
  assert.deepEqual([outcome(first), outcome(second), third.failure?.flag], ["waits", "waits", "NETWORK_POLICY"]);
  assert.equal(outcome(bed.request()), "waits", "without alternatives it waits");
  assert.equal(bed.client.dialled.length, 1);
  bed.dropPool();
  bed.assertClean();
});
