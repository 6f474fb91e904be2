/** Peers that reset requests before they are answered, and the work that this causes (observed.md O27, O32). */
import { strict as assert } from "node:assert";
import { at, Testbed } from "../dataplane/testkit/testbed.ts";
import { ErrorCode, type HeaderList } from "../h2/seam.ts";
import { rawClient } from "../hbone/testkit/peer.ts";

const CLIENT = "10.0.0.1", SERVER = "10.0.0.2";
const PEER_ID = "spiffe://cluster.local/ns/default/sa/peer";
const HBONE = at(`${SERVER}:15008`);
const toApplication: HeaderList = [[":method", "CONNECT"], [":authority", `${SERVER}:8080`]];

function scene() {
  const bed = new Testbed();
  const server = bed.node("server", SERVER);
  let calls = 0;
  bed.listen(`${SERVER}:8080`, () => void calls++);
  const connect = (from = CLIENT) => {
    const peer = rawClient(bed.host(from), HBONE, bed.context(PEER_ID));
    bed.run();
    return peer;
  };
  return { bed, server, connect, calls: () => calls };
}

Deno.test("observed O27 a stream that is reset in the same read causes no dial", () => {
  const { bed, server, connect, calls } = scene();
  const peer = connect();
  for (let i = 0; i < 10; i++) {
    peer.open(toApplication).stream.reset(ErrorCode.CANCEL);
    bed.run();
  }
  assert.deepEqual([calls(), server.access.length], [0, 10]);
  peer.open(toApplication);
  bed.run();
  assert.equal(calls(), 1);
  peer.close();
  bed.run();
});

Deno.test("observed O27 of many requests in one read that are reset in the same read, at most one is dialled", () => {
  const { bed, server, connect, calls } = scene();
  const peer = connect();
  // Far more than one pass of the connection (`WORK_PER_PASS`) processes.
  for (let i = 0; i < 100; i++) peer.open(toApplication).stream.reset(ErrorCode.CANCEL);
  bed.run();
  assert.equal(server.access.length, 100);
  assert.ok(calls() <= 1, `${calls()} dials`);
  const streams = Array.from({ length: 20 }, () => peer.open(toApplication));
  bed.run();
  assert.ok(streams.every(({ headers }) => headers?.[0]?.[1] === "200"), "requests that are not reset are answered");
  peer.close();
  bed.run();
});

Deno.test("a peer that was disconnected for a breach gets smaller budgets for a minute", () => {
  const { bed, connect } = scene();
  /** How many resets without an answer a new connection of the peer may send before it is disconnected. */
  const resets = (from = CLIENT) => {
    const peer = connect(from);
    let count = 0;
    for (; peer.h2.canOpen && count < 1000; count++) {
      peer.open(toApplication).stream.reset(ErrorCode.CANCEL);
      bed.run();
    }
    peer.close();
    bed.run();
    return count;
  };
  const first = resets(), second = resets(), third = resets();
  assert.ok(first > 400 && second < 100, `${first}, then ${second}`);
  assert.ok(third < 10, `${third}: the connections of a peer share a budget`);
  assert.ok(resets("10.0.0.3") > 400, "another workload with the same identity is not affected");
  bed.advance(60_000);
  assert.ok(resets() > 400);
});
