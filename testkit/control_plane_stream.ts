/** The scripted control plane's end of one delta stream. */
import type * as grpc from "@grpc/grpc-js";
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { envoy } from "../proto/gen/xds.js";
import { ADDRESS_TYPE, AUTHORIZATION_TYPE, type ResourceType } from "../src/xds/resources.ts";
import { inTime } from "../lab/eventually.ts";

const { DeltaDiscoveryRequest, DeltaDiscoveryResponse } = envoy.service.discovery.v3;
type DeltaRequestMessage = envoy.service.discovery.v3.DeltaDiscoveryRequest;

/** One resource of a response. */
export interface ScriptedResource {
  readonly name: string;
  readonly version?: string;
  /** Null: without a payload. */
  readonly body: Uint8Array | null;
  readonly aliases?: readonly string[];
}

/** The content of a response. */
export interface ScriptedResponse {
  readonly typeUrl: string;
  readonly nonce: string;
  readonly resources?: readonly ScriptedResource[];
  readonly removed?: readonly string[];
}

/** The fields of a request that are not empty. */
interface RequestFacts {
  readonly typeUrl: string;
  readonly subscribe?: readonly string[];
  readonly unsubscribe?: readonly string[];
  readonly versions?: Readonly<Record<string, string>>;
  readonly nonce?: string;
  readonly error?: string;
  /** The id of the node. */
  readonly node?: string;
}

/** One stream: requests are queued until the test receives them. */
export class AdsStream {
  /** Headers of the call. */
  readonly metadata: grpc.Metadata;
  readonly #call: grpc.ServerDuplexStream<Buffer, Buffer>;
  readonly #requests: DeltaRequestMessage[] = [];
  readonly #waiting: PromiseWithResolvers<DeltaRequestMessage>[] = [];
  readonly #ended = Promise.withResolvers<void>();
  #over = false;
  #abandoned = false;

  constructor(call: grpc.ServerDuplexStream<Buffer, Buffer>) {
    this.#call = call;
    this.metadata = call.metadata;
    call.on("data", (message: Buffer) => this.#onRequest(DeltaDiscoveryRequest.decode(message)));
    for (const event of ["end", "cancelled", "error", "close"]) call.on(event, () => this.#onEnd());
  }

  #onRequest(request: DeltaRequestMessage): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#requests.push(request);
    else waiting.resolve(request);
  }

  #onEnd(): void {
    this.#over = true;
    this.#ended.resolve();
  }

  /** The next request that the client sends, or has sent. */
  request(): Promise<DeltaRequestMessage> {
    const waiting = this.#requests.shift();
    if (waiting !== undefined) return Promise.resolve(waiting);
    const next = Promise.withResolvers<DeltaRequestMessage>();
    this.#waiting.push(next);
    return inTime("a request of the client", next.promise);
  }

  /** Receives the next request and checks that it has exactly these fields. */
  async expect(expected: RequestFacts): Promise<void> {
    assert.deepEqual(factsOf(await this.request()), expected);
  }

  /** Receives the first two requests: wildcard subscriptions to both types, with these versions of known resources. */
  async expectWildcards(
    node: string,
    addresses: Readonly<Record<string, string>> = {},
    policies: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const versions = (known: Readonly<Record<string, string>>) =>
      Object.keys(known).length === 0 ? {} : { versions: known };
    await this.expect({ typeUrl: ADDRESS_TYPE, node, ...versions(addresses) });
    await this.expect({ typeUrl: AUTHORIZATION_TYPE, node, ...versions(policies) });
  }

  /** Receives an acknowledgement. */
  async expectAck(nonce: string, typeUrl: string = ADDRESS_TYPE): Promise<void> {
    await this.expect({ typeUrl, nonce });
  }

  /** Receives a rejection with this message. */
  async expectNack(nonce: string, error: string | RegExp, typeUrl: string = ADDRESS_TYPE): Promise<void> {
    const { error: given, ...facts } = factsOf(await this.request());
    assert.deepEqual(facts, { typeUrl, nonce });
    if (typeof error === "string") assert.equal(given, error);
    else assert.match(given ?? "", error);
  }

  /** Sends a response. */
  respond(response: ScriptedResponse): void {
    this.send(encodeResponse(response));
  }

  /** Sends any bytes as a message. */
  send(message: Uint8Array): void {
    this.#call.write(Buffer.from(message.buffer, message.byteOffset, message.byteLength));
  }

  /** Sends one response and receives its acknowledgement. */
  async push(
    type: ResourceType,
    nonce: string,
    resources: readonly ScriptedResource[],
    removed: readonly string[] = [],
  ): Promise<void> {
    this.respond({ typeUrl: type, nonce, resources, removed });
    await this.expectAck(nonce, type);
  }

  /** Ends the stream with status OK. */
  end(): void {
    this.#abandoned = true;
    this.#call.end();
  }

  /** Ends the stream with another status. */
  fail(code: grpc.status, details: string): void {
    this.#abandoned = true;
    this.#call.emit("error", { code, details });
  }

  /** Fulfilled when the client has ended the stream or the connection is closed. */
  ended(): Promise<void> {
    return inTime("the end of the stream", this.#ended.promise);
  }

  /** The client has ended the stream or the connection is closed. */
  get isOver(): boolean {
    return this.#over;
  }

  /** Ignores further requests, since the test has ended the stream. */
  abandon(): void {
    this.#abandoned = true;
    for (const waiting of this.#waiting.splice(0)) waiting.reject(new Error("the stream was ended by the script"));
  }

  /** Throws if there are requests that the test has not received, unless the test ended the stream. */
  verify(): void {
    const left = this.#requests.map(factsOf);
    // Requests may have been in flight when the test ended the stream.
    if (!this.#abandoned) assert.deepEqual(left, [], "requests that were not expected");
  }
}

/** The protobuf message of a response. */
export function encodeResponse({ typeUrl, nonce, resources = [], removed = [] }: ScriptedResponse): Uint8Array {
  return DeltaDiscoveryResponse.encode({
    systemVersionInfo: "test/1",
    typeUrl,
    nonce,
    resources: resources.map(({ name, version = "", body, aliases = [] }) => ({
      name,
      version,
      aliases,
      resource: body === null ? null : { type_url: typeUrl, value: body },
    })),
    removedResources: removed,
  }).finish();
}

function factsOf(request: DeltaRequestMessage): RequestFacts {
  const { resourceNamesSubscribe, resourceNamesUnsubscribe, initialResourceVersions, node, errorDetail } = request;
  return {
    typeUrl: request.typeUrl,
    ...resourceNamesSubscribe.length > 0 && { subscribe: resourceNamesSubscribe },
    ...resourceNamesUnsubscribe.length > 0 && { unsubscribe: resourceNamesUnsubscribe },
    ...Object.keys(initialResourceVersions).length > 0 && { versions: { ...initialResourceVersions } },
    ...request.responseNonce !== "" && { nonce: request.responseNonce },
    ...errorDetail !== null && { error: errorDetail.message },
    ...node !== null && { node: node.id },
  };
}
