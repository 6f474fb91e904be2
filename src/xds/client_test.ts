/** The client: streams, answers, readiness (`docs/spec/xds-state.md` 2). */
import assert from "node:assert/strict";
import { ByteBlocks } from "../grpc/byte_blocks.ts";
import { Code, GrpcError } from "../grpc/status.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceSink } from "./resources.ts";
import { ClientRig, GOOD, ON_DEMAND, REFUSED } from "./testkit/client.ts";

Deno.test("xds X71: attempts at a control plane that refuses are 20, 40, 80 and 160 ms apart", async () => {
  await using rig = new ClientRig({}, GOOD, REFUSED);
  await rig.clock.advance(300);
  assert.deepEqual(rig.attempts, [0, 20, 60, 140, 300]);
  assert.deepEqual(rig.terminations(), { 'reason="ConnectionError"': 5 });
  assert.deepEqual(rig.lines().slice(0, 2), [
    "warn xds::client:xds{id=1} XDS client connection error: gRPC connection error connecting to " +
    'https://istiod:15012: status: Unavailable, message: "client error (Connect)", source: tcp connect error, ' +
    "retrying in 20ms",
    "warn xds::client:xds{id=2} XDS client connection error: gRPC connection error connecting to " +
    'https://istiod:15012: status: Unavailable, message: "client error (Connect)", source: tcp connect error, ' +
    "retrying in 40ms",
  ]);
});

Deno.test("xds 2.11: the backoff that failures have built up ends with a stream that did its work", async () => {
  await using rig = new ClientRig({}, GOOD, REFUSED);
  await rig.clock.advance(140);
  rig.opening = "ok";
  await rig.clock.advance(160);
  rig.call.respond(ADDRESS_TYPE, "1");
  await rig.settle();
  rig.call.finish(new GrpcError(Code.Unknown, "lost", "call"));
  await rig.clock.advance(10);
  assert.deepEqual(rig.attempts, [0, 20, 60, 140, 300, 310]);
  assert.equal(rig.terminations()['reason="Reconnect"'], 1);
});

Deno.test("xds 2.10: readiness is announced once, over any number of streams", async () => {
  await using rig = new ClientRig();
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1");
  await rig.settle();
  rig.call.finish(null);
  await rig.clock.advance(10);
  assert.equal(rig.ready, 0);
  for (let i = 0; i < 2; i++) {
    rig.call.respond(AUTHORIZATION_TYPE, "2");
    await rig.settle();
    rig.call.finish(null);
    await rig.clock.advance(10);
    assert.equal(rig.ready, 1);
  }
});

Deno.test("xds 2.6: a response is acknowledged when the sink has applied it, and before the next is looked at", async () => {
  const applied: PromiseWithResolvers<[]>[] = [];
  const sink: ResourceSink = {
    apply() {
      const result = Promise.withResolvers<[]>();
      applied.push(result);
      return result.promise;
    },
  };
  await using rig = new ClientRig({}, sink);
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["a"]);
  rig.call.respond(ADDRESS_TYPE, "2", ["b"]);
  await rig.settle();
  assert.equal(applied.length, 1);
  assert.equal(rig.call.sent.length, 2);
  applied[0]!.resolve([]);
  await rig.settle();
  assert.deepEqual(rig.call.sent.slice(2).map(({ responseNonce }) => responseNonce), ["1"]);
  assert.equal(applied.length, 2);
  applied[1]!.resolve([]);
  await rig.settle();
});

Deno.test("what was applied while the stream broke is known to the next one", async () => {
  const gate = Promise.withResolvers<[]>();
  await using rig = new ClientRig({}, { apply: (batch) => GOOD.apply(batch).then(() => gate.promise) });
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["a"]);
  await rig.settle();
  rig.call.finish(new GrpcError(Code.Unknown, "lost", "call"));
  await rig.clock.advance(1000);
  assert.equal(rig.calls.length, 1, "one stream at a time");
  gate.resolve([]);
  await rig.clock.advance(10);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { a: "1" });
});

Deno.test("xds Q14: a list that is too long for the control plane is sent no more, and what is gone meanwhile goes", async () => {
  const removed: string[][] = [];
  await using rig = new ClientRig({}, {
    apply(batch) {
      removed.push([...batch.removed]);
      return GOOD.apply(batch);
    },
  });
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["a", "b"]);
  await rig.settle();
  rig.call.finish(null);
  await rig.clock.advance(10);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { a: "1", b: "1" });
  rig.call.finish(new GrpcError(Code.ResourceExhausted, "request rate limit exceeded: x", "call"));
  await rig.clock.advance(20);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { a: "1", b: "1" });
  const refusal = "grpc: received message larger than max (4200000 vs. 4194304)";
  rig.call.finish(new GrpcError(Code.ResourceExhausted, refusal, "call"));
  await rig.clock.advance(40);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, {});
  rig.call.respond(ADDRESS_TYPE, "1", ["b", "c"], ["unknown"]);
  rig.call.respond(ADDRESS_TYPE, "2", ["d"]);
  await rig.settle();
  assert.deepEqual(removed, [[], ["unknown", "a"], []]);
  const told = rig.lines().filter((line) => line.startsWith("warn"));
  assert.match(told.at(-2)!, /refuses the list of what is held here as too long.*ISTIO_GPRC_MAXRECVMSGSIZE/);
  assert.match(told.at(-1)!, /status: ResourceExhausted, .*retrying in 40ms$/);
});

Deno.test("a sink that fails ends the stream, and nothing of its batch counts as known", async () => {
  await using rig = new ClientRig({}, { apply: () => Promise.reject(new Error("worker is gone")) });
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["a"]);
  await rig.clock.advance(20);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, {});
  assert.deepEqual(rig.terminations(), { 'reason="Error"': 1 });
  assert.ok(
    rig.lines().includes(
      "warn xds::client:xds{id=1} XDS client error: applying resources failed: worker is gone, retrying in 20ms",
    ),
  );
});

Deno.test("a response that is no message ends the stream", async () => {
  await using rig = new ClientRig();
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1");
  await rig.settle();
  rig.call.push(new ByteBlocks([Uint8Array.of(0xff, 0xff)]));
  await rig.clock.advance(20);
  assert.equal(rig.calls.length, 2);
  assert.equal(rig.calls[0]!.over, true);
  assert.ok(
    rig.lines().includes(
      'warn xds::client:xds{id=1} XDS client error: gRPC error status: Internal, message: "response cannot be ' +
        'decoded: message ends in the middle of a number", retrying in 10ms',
    ),
  );
});

Deno.test("a control plane that says nothing is mentioned in the log, once for each stream", async () => {
  await using rig = new ClientRig();
  await rig.clock.advance(120_000);
  assert.deepEqual(rig.lines(), [
    "warn xds::client:xds{id=1} connected to https://istiod:15012, which has sent no response for 30 s: is it ready?",
  ]);
  rig.call.respond(ADDRESS_TYPE, "1");
  await rig.settle();
  assert.equal(rig.lines()[1], "info xds::client:xds{id=1} Stream established");
});

Deno.test("a client that is closed answers who waits, and later ones at once", async () => {
  const told: string[] = [];
  {
    await using rig = new ClientRig(ON_DEMAND);
    await rig.settle();
    rig.client.demand("a", (answer) => told.push(`a ${answer}`));
    await rig.client.close();
    rig.client.demand("b", (answer) => told.push(`b ${answer}`));
  }
  assert.deepEqual(told, ["a refused", "b refused"]);
});

Deno.test("closing during a pause between attempts, or before the start, leaves nothing behind", async () => {
  await using rig = new ClientRig({}, GOOD, REFUSED);
  await rig.clock.advance(5_000);
  await rig.client.close();
  const attempts = rig.attempts.length;
  await rig.clock.advance(60_000);
  assert.equal(rig.attempts.length, attempts);
});

Deno.test("the state is stale from the end of a stream until the next one has answered about addresses", async () => {
  await using rig = new ClientRig();
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1");
  await rig.settle();
  assert.deepEqual(rig.freshness, []);
  rig.call.finish(new GrpcError(Code.Unknown, "lost", "call"));
  rig.opening = REFUSED;
  await rig.clock.advance(100);
  assert.deepEqual(rig.freshness, ["stale"]);
  rig.opening = "ok";
  await rig.clock.advance(1000);
  rig.call.respond(AUTHORIZATION_TYPE, "2");
  await rig.settle();
  assert.deepEqual(rig.freshness, ["stale"]);
  rig.call.respond(ADDRESS_TYPE, "3");
  await rig.settle();
  assert.deepEqual(rig.freshness, ["stale", "current"]);
});

Deno.test("on demand there may be no addresses to send: any answer makes the state current", async () => {
  await using rig = new ClientRig(ON_DEMAND);
  await rig.settle();
  rig.call.respond(AUTHORIZATION_TYPE, "1");
  await rig.settle();
  rig.call.finish(new GrpcError(Code.Unknown, "lost", "call"));
  await rig.clock.advance(10);
  rig.call.respond(AUTHORIZATION_TYPE, "2");
  await rig.settle();
  assert.deepEqual(rig.freshness, ["stale", "current"]);
});
