/**
 * A control plane that plays a script: a delta ADS server on a gRPC library, which says what a test tells it to say and
 * takes what the test expects. Strict: requests and streams that nobody expected fail the test at its end.
 *
 *     await using plane = await ControlPlane.start();
 *     const stream = await plane.stream();                  // a client has opened one
 *     const first = await stream.request();                 // ... and sent this
 *     stream.respond({ typeUrl, nonce: "1", resources });
 *     await stream.expectAck("1");
 *
 * Servers that are no gRPC servers at all: `src/grpc/testkit/server.ts`.
 */
import * as grpc from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ServerIdentity, serverIdentity } from "../src/grpc/testkit/server.ts";
import { AdsStream } from "./control_plane_stream.ts";
import { inTime } from "../lab/patience.ts";

const METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

const bytes = (value: Buffer) => value;
const SERVICE: grpc.ServiceDefinition = {
  DeltaAggregatedResources: {
    path: METHOD,
    requestStream: true,
    responseStream: true,
    requestSerialize: bytes,
    requestDeserialize: bytes,
    responseSerialize: bytes,
    responseDeserialize: bytes,
  },
};

export interface ControlPlaneOptions {
  /** Null: plaintext. Default: a certificate for `localhost`, issued by `ROOT` of `testing_server.ts`. */
  readonly identity?: ServerIdentity | null;
  /** A Unix socket instead of TCP; plaintext. */
  readonly path?: string;
  /** Bytes of a request that it takes at most. */
  readonly requestMax?: number;
}

export class ControlPlane implements AsyncDisposable {
  #identity: ServerIdentity | null;
  readonly #path: string | null;
  readonly #requestMax: number;
  #server: grpc.Server | null = null;
  #port = 0;
  /** Streams that the test has not looked at, and tests that wait for one. */
  readonly #streams: AdsStream[] = [];
  readonly #waiting: PromiseWithResolvers<AdsStream>[] = [];
  readonly #all: AdsStream[] = [];
  /** Answers every stream with this status. */
  refusal: { readonly code: grpc.status; readonly details: string } | null = null;

  constructor(options: ControlPlaneOptions) {
    this.#path = options.path ?? null;
    this.#requestMax = options.requestMax ?? -1;
    this.#identity = options.path !== undefined || options.identity === null
      ? null
      : options.identity ?? serverIdentity();
  }

  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const plane = new ControlPlane(options);
    await plane.start();
    return plane;
  }

  /** For `XDS_ADDRESS`. */
  get url(): string {
    if (this.#path !== null) return `unix://${this.#path}`;
    return `${this.#identity === null ? "http" : "https"}://localhost:${this.#port}`;
  }

  /** Again after {@link stop}, at the same address, perhaps with another certificate. */
  async start(identity = this.#identity): Promise<void> {
    this.#identity = identity;
    const server = this.#server = new grpc.Server({
      "grpc.max_receive_message_length": this.#requestMax,
      "grpc.max_send_message_length": -1,
    });
    server.addService(SERVICE, {
      DeltaAggregatedResources: (call: grpc.ServerDuplexStream<Buffer, Buffer>) => this.#accept(call),
    });
    const at = this.#path === null ? `127.0.0.1:${this.#port}` : `unix:${this.#path}`;
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync(
        at,
        credentialsOf(identity),
        (error, port) => error === null ? resolve(port) : reject(error),
      );
    });
  }

  /** Ends all streams and connections as a process that is killed; clients are refused from now on. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    for (const stream of this.#all) stream.abandon();
    server.forceShutdown();
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  }

  /** The next stream of a client. */
  stream(): Promise<AdsStream> {
    const waiting = this.#streams.shift();
    if (waiting !== undefined) return Promise.resolve(waiting);
    const next = Promise.withResolvers<AdsStream>();
    this.#waiting.push(next);
    return inTime("a stream of the client", next.promise);
  }

  #accept(call: grpc.ServerDuplexStream<Buffer, Buffer>): void {
    if (this.refusal !== null) {
      call.on("error", () => {});
      call.emit("error", this.refusal);
      return;
    }
    const stream = new AdsStream(call);
    this.#all.push(stream);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#streams.push(stream);
    else waiting.resolve(stream);
  }

  /** Fails when a client said anything that the test has not asked for. */
  verify(): void {
    assert.equal(this.#streams.length, 0, "streams that were not expected");
    for (const stream of this.#all) stream.verify();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    this.verify();
  }
}

function credentialsOf(identity: ServerIdentity | null): grpc.ServerCredentials {
  if (identity === null) return grpc.ServerCredentials.createInsecure();
  const pair = { cert_chain: Buffer.from(identity.cert), private_key: Buffer.from(identity.key) };
  // Without roots the library takes those of GRPC_DEFAULT_SSL_ROOTS_FILE_PATH, and the runtime sends them all along.
  return grpc.ServerCredentials.createSsl(pair.cert_chain, [pair]);
}
