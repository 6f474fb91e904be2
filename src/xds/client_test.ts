/** The client under virtual time, with calls that are no more than a script. */
import assert from "node:assert/strict";
import { envoy } from "../../proto/gen/xds.js";
import { parseConfig } from "../config/parse_config.ts";
import { ByteBlocks } from "../grpc/byte_blocks.ts";
import type { GrpcCall, GrpcChannel } from "../grpc/channel.ts";
import { Code, GrpcError } from "../grpc/status.ts";
import { TestClock } from "../identity/test_clock.ts";
import { Metrics } from "../telemetry/metrics.ts";
import { testLog } from "../telemetry/testing.ts";
import { XdsClient } from "./client.ts";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceSink } from "./resources.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
const REFUSED = new GrpcError(Code.Unavailable, "client error (Connect)", "connect", "tcp connect error");

/** A call whose server is the test. */
class FakeCall implements GrpcCall {
  readonly sent: envoy.service.discovery.v3.DeltaDiscoveryRequest[] = [];
  readonly #messages: (ByteBlocks | GrpcError | null)[] = [];
  #reader: PromiseWithResolvers<ByteBlocks | null> | null = null;
  over = false;

  read(): Promise<ByteBlocks | null> {
    this.#reader = Promise.withResolvers();
    const { promise } = this.#reader;
    this.#serve();
    return promise;
  }

  send(message: Uint8Array): Promise<void> {
    if (!this.over) this.sent.push(DeltaDiscoveryRequest.decode(message));
    return Promise.resolve();
  }

  end(): void {}

  cancel(): void {
    this.finish(new GrpcError(Code.Cancelled, "call was cancelled by us", "call"));
  }

  respond(typeUrl: string, nonce: string, names: readonly string[] = [], removed: readonly string[] = []): void {
    const resources = names.map((name) => ({ name, version: "1", resource: { value: new Uint8Array() } }));
    const message = DeltaDiscoveryResponse.encode({ typeUrl, nonce, resources, removedResources: removed }).finish();
    this.push(new ByteBlocks([new Uint8Array(message)]));
  }

  finish(end: GrpcError | null): void {
    if (this.over) return;
    this.over = true;
    this.push(end);
  }

  push(what: ByteBlocks | GrpcError | null): void {
    this.#messages.push(what);
    this.#serve();
  }

  #serve(): void {
    if (this.#reader === null || this.#messages.length === 0) return;
    const next = this.#messages.shift()!;
    if (next instanceof GrpcError) this.#reader.reject(next);
    else this.#reader.resolve(next);
    this.#reader = null;
  }
}

/** Takes everything. */
const GOOD: ResourceSink = {
  apply({ changed }) {
    for (const _ of changed) { /* to the end */ }
    return Promise.resolve([]);
  },
};

/** What opening a call comes to. */
type Opening = GrpcError | "ok";

class Rig implements AsyncDisposable {
  readonly clock = new TestClock(0);
  readonly metrics = new Metrics();
  readonly log = testLog({ filter: "debug" });
  readonly calls: FakeCall[] = [];
  opening: Opening;
  /** When attempts were made. */
  readonly attempts: number[] = [];
  ready = 0;
  readonly client: XdsClient;

  constructor(environment: Readonly<Record<string, string>> = {}, sink = GOOD, opening: Opening = "ok") {
    this.opening = opening;
    const files = {
      read: (path: string) => path === "/etc/resolv.conf" ? "nameserver 127.0.0.1" : null,
      exists: () => false,
    };
    this.client = new XdsClient({
      config: parseConfig({ XDS_ADDRESS: "https://istiod:15012", ...environment }, files, 2),
      sink,
      metrics: this.metrics,
      log: this.log.log,
      onReady: () => this.ready++,
      clock: this.clock,
      connect: () => this.#connect(),
    });
    this.client.start();
  }

  #connect(): GrpcChannel {
    this.attempts.push(this.clock.now());
    const call = new FakeCall();
    return {
      open: () => {
        if (this.opening !== "ok") return Promise.reject(this.opening);
        this.calls.push(call);
        return Promise.resolve(call);
      },
      unary: () => Promise.reject(new TypeError("not scripted")),
      serverStream: () => Promise.reject(new TypeError("not scripted")),
      close: () => call.cancel(),
    };
  }

  get call(): FakeCall {
    return this.calls.at(-1)!;
  }

  lines(): string[] {
    return this.log.lines().map((line) => line.split("\t").slice(1).join(" ").trim());
  }

  terminations(): Record<string, number> {
    const cells = this.metrics.snapshot().cells.filter(({ family }) => family === "istio_xds_connection_terminations");
    return Object.fromEntries(cells.map(({ labels, value }) => [labels, value]));
  }

  /** Lets everything run that waits for nothing. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    assert.equal(this.clock.timers, 0, "timers that nobody has cancelled");
  }
}

Deno.test("xds X71: attempts at a control plane that refuses are 20, 40, 80 and 160 ms apart", async () => {
  await using rig = new Rig({}, GOOD, REFUSED);
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
  await using rig = new Rig({}, GOOD, REFUSED);
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
  await using rig = new Rig();
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
  await using rig = new Rig({}, sink);
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
  await using rig = new Rig({}, { apply: (batch) => GOOD.apply(batch).then(() => gate.promise) });
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
  await using rig = new Rig({}, {
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
  await using rig = new Rig({}, { apply: () => Promise.reject(new Error("worker is gone")) });
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
  await using rig = new Rig();
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
  await using rig = new Rig();
  await rig.clock.advance(120_000);
  assert.deepEqual(rig.lines(), [
    "warn xds::client:xds{id=1} connected to https://istiod:15012, which has sent no response for 30 s: is it ready?",
  ]);
  rig.call.respond(ADDRESS_TYPE, "1");
  await rig.settle();
  assert.equal(rig.lines()[1], "info xds::client:xds{id=1} Stream established");
});

const ON_DEMAND = { XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };

Deno.test("a demand goes out after the first requests, however early it comes", async () => {
  await using rig = new Rig(ON_DEMAND);
  rig.client.demand("early", () => {});
  await rig.settle();
  rig.client.demand("late", () => {});
  await rig.settle();
  const [addresses, policies, demand, ...more] = rig.call.sent;
  assert.deepEqual({ ...addresses!.initialResourceVersions }, { early: "" });
  assert.equal(policies!.typeUrl, AUTHORIZATION_TYPE);
  assert.deepEqual([...demand!.resourceNamesSubscribe], ["late"]);
  assert.deepEqual(more, []);
});

Deno.test("xds Q5: a demand without an answer ends after 10 s, also while nothing is connected", async () => {
  await using rig = new Rig(ON_DEMAND, GOOD, REFUSED);
  await rig.settle();
  const told: string[] = [];
  rig.client.demand("a", (answer) => told.push(`a ${answer} ${rig.clock.now()}`));
  await rig.clock.advance(4_000);
  rig.client.demand("b", (answer) => told.push(`b ${answer} ${rig.clock.now()}`));
  await rig.clock.advance(20_000);
  assert.deepEqual(told, ["a expired 10000", "b expired 14000"]);
});

Deno.test("xds O3: who asks again for what was unknown long ago gets a new stream, and nothing is counted", async () => {
  await using rig = new Rig(ON_DEMAND);
  await rig.settle();
  const told: string[] = [];
  const ask = () => rig.client.demand("/10.0.0.1", (answer) => told.push(answer));
  ask();
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", [], ["/10.0.0.1"]);
  await rig.clock.advance(1_000);
  ask();
  assert.deepEqual(told, ["absent", "absent"]);
  await rig.clock.advance(300_000);
  ask();
  ask();
  await rig.settle();
  assert.equal(rig.calls.length, 2);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { "/10.0.0.1": "" });
  assert.deepEqual(rig.terminations(), {});
  rig.call.respond(ADDRESS_TYPE, "1", ["/10.0.0.1"]);
  await rig.settle();
  assert.deepEqual(told, ["absent", "absent", "known", "known"]);
});

Deno.test("xds O3: what comes in place of something that has gone is heard of on a new stream, 15 s after the last", async () => {
  await using rig = new Rig(ON_DEMAND);
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["app/service", "pod-1"]);
  await rig.clock.advance(1_000);
  rig.call.respond(ADDRESS_TYPE, "2", [], ["never-held"]);
  await rig.clock.advance(1_000);
  rig.call.respond(ADDRESS_TYPE, "3", [], ["pod-1"]);
  await rig.clock.advance(12_999);
  assert.equal(rig.calls.length, 1);
  await rig.clock.advance(1);
  assert.equal(rig.calls.length, 2);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { "app/service": "1" });
  assert.deepEqual(rig.terminations(), {});
  assert.ok(rig.lines().some((line) => /opening the stream anew, to hear what is there in place of/.test(line)));
  // The first answer of a stream is whole, whatever it takes back.
  rig.call.respond(ADDRESS_TYPE, "1", ["pod-2"], ["app/service"]);
  await rig.clock.advance(60_000);
  assert.equal(rig.calls.length, 2);
  rig.call.respond(ADDRESS_TYPE, "2", [], ["pod-2"]);
  await rig.settle();
  assert.equal(rig.calls.length, 3, "at once, as the stream is old enough");
});

Deno.test("xds O3: a service that is held and of no use is asked for on a new stream", async () => {
  await using rig = new Rig(ON_DEMAND);
  await rig.settle();
  rig.call.respond(ADDRESS_TYPE, "1", ["app/service"]);
  await rig.clock.advance(14_000);
  const told: string[] = [];
  const ask = () => rig.client.demand("app/service", (answer) => told.push(answer));
  ask();
  assert.deepEqual(told, ["known"], "as this stream has said so just now");
  await rig.clock.advance(1_000);
  ask();
  await rig.settle();
  assert.equal(rig.calls.length, 2);
  assert.deepEqual({ ...rig.call.sent[0]!.initialResourceVersions }, { "app/service": "" }, "to be told all of it");
  assert.deepEqual(told, ["known"]);
  rig.call.respond(ADDRESS_TYPE, "1", ["app/service", "pod-2"]);
  await rig.settle();
  assert.deepEqual(told, ["known", "known"]);
});

Deno.test("xds O3: with everything subscribed nothing is opened anew, as what comes is pushed", async () => {
  await using rig = new Rig();
  await rig.settle();
  for (const [nonce, names, removed] of [["1", ["a"], []], ["2", [], ["a"]]] as const) {
    rig.call.respond(ADDRESS_TYPE, nonce, names, removed);
    await rig.settle();
  }
  await rig.clock.advance(60_000);
  assert.equal(rig.calls.length, 1);
});

Deno.test("a client that is closed answers who waits, and later ones at once", async () => {
  const told: string[] = [];
  {
    await using rig = new Rig(ON_DEMAND);
    await rig.settle();
    rig.client.demand("a", (answer) => told.push(`a ${answer}`));
    await rig.client.close();
    rig.client.demand("b", (answer) => told.push(`b ${answer}`));
  }
  assert.deepEqual(told, ["a refused", "b refused"]);
});

Deno.test("closing during a pause between attempts, or before the start, leaves nothing behind", async () => {
  await using rig = new Rig({}, GOOD, REFUSED);
  await rig.clock.advance(5_000);
  await rig.client.close();
  const attempts = rig.attempts.length;
  await rig.clock.advance(60_000);
  assert.equal(rig.attempts.length, attempts);
});
