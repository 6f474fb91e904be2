/** One stream to the control plane: runs the delta protocol on a gRPC call. */
import type { ByteBlocks } from "../grpc/byte_blocks.ts";
import type { GrpcCall } from "../grpc/channel.ts";
import { Code, GrpcError } from "../grpc/status.ts";
import type { WallClock } from "../net/clock.ts";
import { discard } from "../os/memory.ts";
import type { LogScope } from "../telemetry/log.ts";
import { LEVEL } from "../telemetry/log_level.ts";
import { bare } from "../telemetry/log_fields.ts";
import { WireError } from "./block_reader.ts";
import type { DeltaProtocol } from "./delta_protocol.ts";
import {
  checkResponse,
  type DeltaResponse,
  isRejection,
  namesOf,
  removedFrom,
  resourcesOf,
  takeResources,
} from "./delta_response.ts";
import { NameList } from "./name_list.ts";
import type { Node } from "./node.ts";
import { paced } from "./pace.ts";
import { type DeltaRequest, encodeRequest } from "./requests.ts";
import { ADDRESS_TYPE, type Rejection, type ResourceSink, type ResourceType } from "./resources.ts";
import { ResponseQueue } from "./response_queue.ts";

/** Bytes. istiod accepts no longer message unless its `ISTIO_GPRC_MAXRECVMSGSIZE` is raised. */
const REQUEST_LIMIT = 4 * 1024 * 1024;

/** What a stream needs. */
interface DeltaStreamParts {
  readonly call: GrpcCall;
  readonly protocol: DeltaProtocol;
  readonly node: Node;
  readonly sink: ResourceSink;
  readonly clock: Pick<WallClock, "elapsed">;
  readonly log: LogScope;
  /** The number of the connection, for the log. */
  readonly connection: number;
  /** Called for each response with its type URL and the sum of its payloads in bytes. */
  readonly onResponse: (typeUrl: string, payloadBytes: number) => void;
  /** Called with the rejected resources of a response, one at least. */
  readonly onRejected: (type: ResourceType, rejections: readonly Rejection[]) => void;
  /** Called when a response was applied and acknowledged; not always in their order. Null: of a type that was not requested. */
  readonly onApplied: (type: ResourceType | null) => void;
}

/** Sends the first requests when it is constructed. */
export class DeltaStream {
  readonly #parts: DeltaStreamParts;
  readonly #queue: ResponseQueue;
  /** Resolves when all requests so far were sent; they are sent in order. */
  #sending: Promise<void> = Promise.resolve();

  constructor(parts: DeltaStreamParts) {
    this.#parts = parts;
    this.#queue = new ResponseQueue(() => parts.call.cancel());
    for (const request of parts.protocol.opened(parts.clock.elapsed())) this.#send(request);
  }

  /** Receives responses until the call ends. Resolves after status OK; rejects with {@link GrpcError}. */
  async run(): Promise<void> {
    try {
      await this.#receiveAll();
    } finally {
      // What was received is applied, and known to the next stream. A failure here is the cause of the other one.
      await this.#queue.end();
    }
  }

  /** Whether a response about workloads and services was received that is not applied yet. */
  get isApplyingAddresses(): boolean {
    return this.#queue.addresses > 0;
  }

  /** Requests one name of the address type. */
  requestName(name: string): void {
    this.#send({ kind: "lookup", name });
  }

  async #receiveAll(): Promise<void> {
    const { call } = this.#parts;
    for (let message = await call.read(); message !== null; message = await call.read()) {
      await this.#receive(message);
      await this.#queue.room();
    }
  }

  async #receive(message: ByteBlocks): Promise<void> {
    const { protocol, log } = this.#parts;
    const response = await paced(checkResponse(message));
    if (response instanceof WireError) {
      throw new GrpcError(Code.Internal, `response cannot be decoded: ${response.message}`, "call");
    }
    this.#parts.onResponse(response.typeUrl, response.payloadBytes);
    logResponse(log, response);
    const type = protocol.typeOf(response.typeUrl);
    if (type === null) {
      log.error("unknown type", { type_url: response.typeUrl.slice(0, 256) });
      return await this.#end(response, null, []);
    }
    this.#queue.add({
      type,
      bytes: message.length,
      apply: async (earlier) => this.#end(response, type, await this.#apply(type, response, earlier)),
    });
  }

  /** Acknowledges a response that is applied, and frees its memory. */
  async #end(response: DeltaResponse, type: ResourceType | null, rejections: readonly Rejection[]): Promise<void> {
    const reply = this.#parts.protocol.acknowledge(response.typeUrl, response.nonce, rejections);
    logReply(this.#parts.log, reply);
    await this.#send(reply);
    this.#parts.onApplied(type);
    await paced(response.bytes.release(discard));
  }

  async #apply(
    type: ResourceType,
    response: DeltaResponse,
    earlier: Promise<void> | null,
  ): Promise<readonly Rejection[]> {
    const { sink, protocol, clock, connection } = this.#parts;
    const missing = await paced(protocol.implicitlyRemoved(type, namesOf(response)));
    const removed = { [Symbol.iterator]: () => removedOf(response, missing) };
    const unusable = response.rejected === 0 ? [] : await paced(rejectionsOf(response));
    const names = new NameList();
    const refused = await sink.apply({ type, connection, changed: takeResources(response, names), removed, earlier });
    const rejections = [...refused, ...unusable];
    await paced(protocol.settle({ type, changed: names, removed }, rejections, clock.elapsed()));
    if (rejections.length > 0) this.#parts.onRejected(type, rejections);
    return rejections;
  }

  /** Resolves when the transport has accepted the request, or the call has ended. */
  #send(request: DeltaRequest): Promise<void> {
    const { call, node, log } = this.#parts;
    this.#sending = this.#sending.then(async () => {
      logRequest(log, request);
      const message = await paced(encodeRequest(request, node));
      if (message.length > REQUEST_LIMIT) {
        log.info("first request is longer than istiod accepts by default", {
          bytes: message.length,
          limit: REQUEST_LIMIT,
        });
      }
      await call.send(message);
    });
    // Callers that do not await the promise notice a failure by the end of the call.
    this.#sending.catch(() => call.cancel());
    return this.#sending;
  }
}

function* removedOf(response: DeltaResponse, missing: readonly string[]): Generator<string> {
  yield* removedFrom(response);
  yield* missing;
}

/** Collects the resources that are rejected without decoding their payload; in steps. */
function* rejectionsOf(response: DeltaResponse): Generator<void, Rejection[]> {
  const rejections: Rejection[] = [];
  for (const resource of resourcesOf(response)) {
    if (isRejection(resource)) rejections.push(resource);
    yield;
  }
  return rejections;
}

function logResponse(log: LogScope, { typeUrl, nonce, size, removes, payloadBytes }: DeltaResponse): void {
  if (!log.isEnabled(LEVEL.debug)) return;
  log.debug("received response", { type_url: typeUrl, nonce, size, removes, bytes: payloadBytes });
}

/** Replies to responses have a line of their own. */
function logRequest(log: LogScope, request: DeltaRequest): void {
  if (!log.isEnabled(LEVEL.debug)) return;
  if (request.kind === "initial") log.debug("sending initial request", { type_url: request.type, mode: request.mode });
  else if (request.kind === "lookup") log.debug("sending request", { type_url: ADDRESS_TYPE, name: request.name });
}

function logReply(log: LogScope, reply: DeltaRequest & { kind: "ack" | "nack" }): void {
  const fields = { type_url: reply.typeUrl, nonce: reply.nonce };
  if (reply.kind === "ack") log.debug("sending response", { ...fields, type: bare("Ack") });
  else log.error("sending response", { ...fields, type: bare("Nack"), error: reply.message });
}
