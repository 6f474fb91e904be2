import { strict as assert } from "node:assert";
import { Keepalive, spreadInterval } from "./keepalive.ts";

Deno.test("keepalive: the ACK of our PING is recognised, also after other bytes; a second ACK is not", () => {
  const keepalive = new Keepalive(10_000, 20_000, 0);
  const sequence = keepalive.sent(10_000);
  keepalive.received(10_500);
  assert.equal(keepalive.outstanding, false);
  assert.equal(keepalive.acknowledged(sequence), true);
  assert.equal(keepalive.acknowledged(sequence), false);
});

Deno.test("keepalive: the connection expires when nothing is received after a PING, however much was received before", () => {
  const keepalive = new Keepalive(10_000, 20_000, 0);
  keepalive.received(5000);
  assert.equal(keepalive.due(14_999), false);
  assert.equal(keepalive.due(15_000), true);
  keepalive.sent(15_000);
  assert.equal(keepalive.deadline, 35_000);
  assert.equal(keepalive.expired(34_999), false);
  assert.equal(keepalive.expired(35_000), true);
});

Deno.test("keepalive: the interval varies by up to 15 % in either direction", () => {
  assert.equal(spreadInterval(10_000, () => 0.5), 10_000);
  assert.equal(Math.round(spreadInterval(10_000, () => 0)), 8500);
  assert.equal(Math.round(spreadInterval(10_000, () => 1)), 11_500);
});

Deno.test("keepalive: silence counts from the last byte, an unanswered PING from when it was sent", () => {
  const keepalive = new Keepalive(10_000, 20_000, 0);
  assert.deepEqual([keepalive.silentFor(700), keepalive.unansweredFor(700)], [700, 0]);
  keepalive.sent(1000);
  assert.deepEqual([keepalive.silentFor(4000), keepalive.unansweredFor(4000)], [4000, 3000]);
  keepalive.received(4500);
  assert.deepEqual([keepalive.silentFor(5000), keepalive.unansweredFor(5000)], [500, 0]);
});

Deno.test("keepalive: a PING that is sent early does not shorten the time for which the peer may be silent", () => {
  const keepalive = new Keepalive(10_000, 20_000, 0);
  keepalive.sent(2000);
  assert.equal(keepalive.unansweredFor(5000), 3000);
  assert.equal(keepalive.deadline, 30_000);
  assert.deepEqual([keepalive.expired(29_999), keepalive.expired(30_000)], [false, true]);
});
