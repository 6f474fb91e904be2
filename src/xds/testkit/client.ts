/** The client under virtual time, with scripted calls. */
import assert from "node:assert/strict";
import { envoy } from "../../../proto/gen/xds.js";
import { parseConfig } from "../../config/parse_config.ts";
import { ByteBlocks } from "../../grpc/byte_blocks.ts";
import type { GrpcCall, GrpcChannel } from "../../grpc/channel.ts";
import { Code, GrpcError } from "../../grpc/status.ts";
import { TestClock } from "../../identity/testkit/clock.ts";
import type { Freshness } from "../../mesh/state/state.ts";
import { Metrics } from "../../telemetry/metrics.ts";
import { testLog } from "../../telemetry/testkit/log.ts";
import { XdsClient } from "../client.ts";
import type { ResourceSink } from "../resources.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
/** The error of a refused connection. */
export const REFUSED = new GrpcError(Code.Unavailable, "client error (Connect)", "connect", "tcp connect error");

/** The settings for lookups on demand. */
export const ON_DEMAND = { XDS_ON_DEMAND: "true", ISTIO_META_DNS_CAPTURE: "false" };

/** A call whose server side is controlled by the test. */
class FakeCall implements GrpcCall {
  readonly sent: envoy.service.discovery.v3.DeltaDiscoveryRequest[] = [];
  readonly #messages: (ByteBlocks | GrpcError | null)[] = [];
  #reader: PromiseWithResolvers<ByteBlocks | null> | null = null;
  isOver = false;

  read(): Promise<ByteBlocks | null> {
    this.#reader = Promise.withResolvers();
    const { promise } = this.#reader;
    this.#serve();
    return promise;
  }

  send(message: Uint8Array): Promise<void> {
    if (!this.isOver) this.sent.push(DeltaDiscoveryRequest.decode(message));
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
    if (this.isOver) return;
    this.isOver = true;
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

/** A sink that accepts everything. */
export const ACCEPTING: ResourceSink = {
  apply({ changed }) {
    for (const _ of changed) { /* to the end */ }
    return Promise.resolve([]);
  },
};

/** The outcome of opening a call. */
type Opening = GrpcError | "ok";

/** A client with its calls, log and metrics. */
export class ClientRig implements AsyncDisposable {
  readonly clock = new TestClock(0);
  readonly metrics = new Metrics();
  readonly log = testLog({ filter: "debug" });
  readonly calls: FakeCall[] = [];
  opening: Opening;
  /** The times of all attempts. */
  readonly attempts: number[] = [];
  ready = 0;
  /** All changes of the freshness. */
  readonly freshness: Freshness[] = [];
  readonly client: XdsClient;

  constructor(environment: Readonly<Record<string, string>> = {}, sink = ACCEPTING, opening: Opening = "ok") {
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
      onFreshness: (freshness) => this.freshness.push(freshness),
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

  /** Runs all pending work without advancing the time. */
  settle(): Promise<void> {
    return this.clock.advance(0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.client.close();
    assert.equal(this.clock.timers, 0, "timers that were not cancelled");
  }
}
