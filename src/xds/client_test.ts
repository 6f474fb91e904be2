/** The client: streams, responses, readiness (`docs/spec/xds-state.md` 2). */
import assert from "node:assert/strict";
import { ByteBlocks } from "../grpc/byte_blocks.ts";
import { Code, GrpcError } from "../grpc/status.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceSink } from "./resources.ts";
import { ACCEPTING, ClientRig, ON_DEMAND, REFUSED } from "./testkit/client.ts";

Deno.test("xds X71: attempts at a control plane that refuses are 20, 40, 80 and 160 ms apart", async () => {
  await using rig = new ClientRig({}, ACCEPTING, REFUSED);
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

Deno.test("xds 2.11: a stream with a response resets the backoff", async () => {
  await using rig = new ClientRig({}, ACCEPTING, REFUSED);
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

Deno.test("xds 2.6: a response is acknowledged when the sink has applied it, before the next one is processed", async () => {
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

Deno.test("xds 2.6: policies are applied and acknowledged while workloads before them are still being applied", async () => {
  const gate = Promise.withResolvers<[]>();
  const earlier: boolean[] = [];
  await using rig = new ClientRig({}, {
    apply(batch) {
      if (batch.type === AUTHORIZATION_TYPE) earlier.push(batch.earlier !== null);
      return ACCEPTING.apply(batch).then((none) => batch.type === ADDRESS_TYPE ? gate.promise : none);
    },
  });
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["a"]);
  rig.call.respond(AUTHORIZATION_TYPE, "2", ["p"]);
  await rig.settle();
  assert.deepEqual(rig.call.sent.slice(2).map(({ responseNonce }) => responseNonce), ["2"]);
  assert.equal(rig.ready, 0);
  gate.resolve([]);
  await rig.settle();
  rig.call.respond(AUTHORIZATION_TYPE, "3", ["p"]);
  await rig.settle();
  assert.deepEqual(rig.call.sent.slice(3).map(({ responseNonce }) => responseNonce), ["1", "3"]);
  assert.deepEqual(earlier, [true, false]);
  assert.equal(rig.ready, 1);
});

Deno.test("xds 2.6: resources that are applied after the stream was lost are known to the next one", async () => {
  const gate = Promise.withResolvers<[]>();
  await using rig = new ClientRig({}, { apply: (batch) => ACCEPTING.apply(batch).then(() => gate.promise) });
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

Deno.test("xds Q14: a list that is too long is not sent again, and resources missing in the next response are removed", async () => {
  const removed: string[][] = [];
  await using rig = new ClientRig({}, {
    apply(batch) {
      removed.push([...batch.removed]);
      return ACCEPTING.apply(batch);
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
  const warnings = rig.lines().filter((line) => line.startsWith("warn"));
  assert.match(warnings.at(-2)!, /refuses the list of known resources as too long.*ISTIO_GPRC_MAXRECVMSGSIZE/);
  assert.match(warnings.at(-1)!, /status: ResourceExhausted, .*retrying in 40ms$/);
});

Deno.test("a sink that fails ends the stream, and no resource of its batch becomes known", async () => {
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

Deno.test("a malformed response ends the stream", async () => {
  await using rig = new ClientRig();
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1");
  await rig.settle();
  rig.call.push(new ByteBlocks([Uint8Array.of(0xff, 0xff)]));
  await rig.clock.advance(20);
  assert.equal(rig.calls.length, 2);
  assert.equal(rig.calls[0]!.isOver, true);
  assert.ok(
    rig.lines().includes(
      'warn xds::client:xds{id=1} XDS client error: gRPC error status: Internal, message: "response cannot be ' +
        'decoded: message ends in the middle of a number", retrying in 10ms',
    ),
  );
});

Deno.test("a stream without a response is logged once", async () => {
  await using rig = new ClientRig();
  await rig.clock.advance(120_000);
  const scope = "xds::client:xds{id=1}", initial = `debug ${scope} sending initial request`;
  assert.deepEqual(rig.lines(), [
    `${initial} type_url="type.googleapis.com/istio.workload.Address" mode="wildcard"`,
    `${initial} type_url="type.googleapis.com/istio.security.Authorization" mode="wildcard"`,
    `warn ${scope} connected to https://istiod:15012, which has sent no response for 30 s: is it ready?`,
  ]);
  rig.call.respond(ADDRESS_TYPE, "1");
  await rig.settle();
  assert.deepEqual(rig.lines().slice(3, 5), [
    `info ${scope} Stream established`,
    `debug ${scope} received response type_url="${ADDRESS_TYPE}" nonce="1" size=0 removes=0 bytes=0`,
  ]);
});

Deno.test("close ends pending and later lookups with refused", async () => {
  const results: string[] = [];
  {
    await using rig = new ClientRig(ON_DEMAND);
    await rig.settle();
    rig.client.lookUp("a", (result) => results.push(`a ${result}`));
    await rig.client.close();
    rig.client.lookUp("b", (result) => results.push(`b ${result}`));
  }
  assert.deepEqual(results, ["a refused", "b refused"]);
});

Deno.test("close during the delay between attempts stops the client", async () => {
  await using rig = new ClientRig({}, ACCEPTING, REFUSED);
  await rig.clock.advance(5_000);
  await rig.client.close();
  const attempts = rig.attempts.length;
  await rig.clock.advance(60_000);
  assert.equal(rig.attempts.length, attempts);
});

Deno.test("freshness: stale from the end of a stream until the next one has a response about addresses", async () => {
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

Deno.test("freshness: on demand any response makes the state current", async () => {
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

Deno.test("freshness: on demand policies that are in force before earlier addresses leave the state stale", async () => {
  const gate = Promise.withResolvers<[]>();
  await using rig = new ClientRig(ON_DEMAND, {
    apply: (batch) => ACCEPTING.apply(batch).then((none) => batch.type === ADDRESS_TYPE ? gate.promise : none),
  });
  await rig.settle();
  rig.call.finish(null);
  await rig.clock.advance(10);
  rig.call.respond(ADDRESS_TYPE, "1", ["a"]);
  rig.call.respond(AUTHORIZATION_TYPE, "2", ["p"]);
  await rig.settle();
  assert.deepEqual(rig.call.sent.slice(2).map(({ responseNonce }) => responseNonce), ["2"]);
  assert.deepEqual(rig.freshness, ["stale"]);
  gate.resolve([]);
  await rig.settle();
  assert.deepEqual(rig.freshness, ["stale", "current"]);
});
