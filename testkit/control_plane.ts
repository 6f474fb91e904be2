/**
 * A scripted control plane: a delta ADS server on a gRPC library, for which the test sends every response and receives
 * every request. Requests and streams that the test has not received fail it at its end.
 *
 *     await using plane = await ControlPlane.start();
 *     const stream = await plane.stream();                  // a client has opened one
 *     const first = await stream.request();                 // ... and sent this
 *     stream.respond({ typeUrl, nonce: "1", resources });
 *     await stream.expectAck("1");
 *
 * Servers that violate gRPC or HTTP/2: `src/grpc/testkit/server.ts`.
 */
import * as grpc from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { type ServerIdentity, serverIdentity } from "../src/grpc/testkit/server.ts";
import { AdsStream } from "./control_plane_stream.ts";
import { inTime } from "../lab/eventually.ts";

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

/** Where and how the server listens. */
interface ControlPlaneOptions {
  /** Null: plaintext. Default: a certificate for `localhost`, issued by `ROOT_PEM` of `src/grpc/testkit/server.ts`. */
  readonly identity?: ServerIdentity | null;
  /** A Unix socket instead of TCP; plaintext. */
  readonly path?: string;
  /** Largest accepted request in bytes. Default: no limit. */
  readonly requestMax?: number;
}

/** The server. Disposing of it stops it and runs {@link ControlPlane.verify}. */
export class ControlPlane implements AsyncDisposable {
  #identity: ServerIdentity | null;
  readonly #path: string | null;
  readonly #requestMax: number;
  #server: grpc.Server | null = null;
  #port = 0;
  /** Streams that the test has not received. */
  readonly #streams: AdsStream[] = [];
  /** Calls of {@link stream} that wait for one. */
  readonly #waiting: PromiseWithResolvers<AdsStream>[] = [];
  readonly #all: AdsStream[] = [];
  /** Status with which every new stream is refused; null: streams are accepted. */
  refusal: { readonly code: grpc.status; readonly details: string } | null = null;

  constructor(options: ControlPlaneOptions) {
    this.#path = options.path ?? null;
    this.#requestMax = options.requestMax ?? -1;
    this.#identity = options.path !== undefined || options.identity === null
      ? null
      : options.identity ?? serverIdentity();
  }

  /** Makes and starts a server. */
  static async start(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
    const plane = new ControlPlane(options);
    await plane.start();
    return plane;
  }

  /** The value of `XDS_ADDRESS`. */
  get url(): string {
    if (this.#path !== null) return `unix://${this.#path}`;
    return `${this.#identity === null ? "http" : "https"}://localhost:${this.#port}`;
  }

  /** Listens; after {@link stop} at the same address, with another certificate if given. */
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

  /** Closes all streams, connections and the listener, as if the process were killed. */
  async stop(): Promise<void> {
    const server = this.#server;
    if (server === null) return;
    this.#server = null;
    for (const stream of this.#all) stream.abandon();
    server.forceShutdown();
    await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  }

  /** The next stream that a client opens, or has opened. */
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

  /** Throws if there are streams or requests that the test has not received. */
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
  // Without the root here, the library uses those of GRPC_DEFAULT_SSL_ROOTS_FILE_PATH and the runtime sends all of them.
  return grpc.ServerCredentials.createSsl(pair.cert_chain, [pair]);
}
