/** A channel with one connection, which is replaced when it is lost, after a GOAWAY, and when the roots have changed. */
import { SYSTEM_CLOCK, type WallClock } from "../net/clock.ts";
import type { CallOptions, ChannelOptions, GrpcCall, GrpcChannel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { credentialHeaders } from "./headers.ts";
import { Code, describeStatus, GrpcError } from "./status.ts";

/** Makes a channel. It connects with the first call. */
export function openChannel(options: ChannelOptions): GrpcChannel {
  return new Channel(options);
}

class Channel implements GrpcChannel {
  readonly #options: ChannelOptions;
  readonly #clock: WallClock;
  readonly #closed = new AbortController();
  /** The connection for new calls. */
  #connection: Connection | null = null;
  /** Also the connections on which older calls are still open. */
  readonly #connections = new Set<Connection>();
  /** The pending connection, shared by all calls that wait for it. */
  #connecting: Promise<Connection> | null = null;

  constructor(options: ChannelOptions) {
    if (options.target.tls !== (options.security !== null)) throw new TypeError("TLS needs a way to verify the server");
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  async open(method: string, options: CallOptions = {}, signal?: AbortSignal): Promise<GrpcCall> {
    signal?.throwIfAborted();
    const began = this.#clock.elapsed();
    // The token is read for each call, as Kubernetes replaces the file about every hour.
    const credentials = await credentialHeaders(this.#options.token);
    const connection = await abortable(this.#connected(), signal);
    signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    return connection.call(method, remaining(options, this.#clock.elapsed() - began), credentials, signal);
  }

  async serverStream(
    method: string,
    request: Uint8Array,
    options?: CallOptions,
    signal?: AbortSignal,
  ): Promise<GrpcCall> {
    const call = await this.open(method, options, signal);
    await call.send(request);
    call.end();
    return call;
  }

  async unary(method: string, request: Uint8Array, options?: CallOptions, signal?: AbortSignal): Promise<Uint8Array> {
    const call = await this.serverStream(method, request, options, signal);
    const response = await abortable(call.read(), signal);
    if (response === null) throw new GrpcError(Code.Internal, "server ended the call without an answer", "call");
    // The response is returned only after a status of OK.
    if (await call.read() !== null) {
      call.cancel();
      throw new GrpcError(Code.Internal, "server sent more than one answer", "call");
    }
    return response.toBytes();
  }

  close(): void {
    this.#closed.abort(new GrpcError(Code.Cancelled, "channel was closed by us", "call"));
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
    this.#connection = null;
  }

  async #connected(): Promise<Connection> {
    this.#closed.signal.throwIfAborted();
    const known = this.#connection;
    if (known !== null && known.usable && await this.#isCurrent(known)) return known;
    this.#connecting ??= this.#connect().finally(() => this.#connecting = null);
    try {
      return await this.#connecting;
    } catch (error) {
      // The old connection still works, so it is kept when the new roots cannot be used.
      if (known === null || !known.usable || !(error instanceof GrpcError)) throw error;
      this.#options.warn?.(`keeping the connection to ${this.#options.target.text}: ${describeStatus(error)}`);
      return known;
    }
  }

  async #isCurrent({ material }: Connection): Promise<boolean> {
    const { security } = this.#options;
    return security === null || material === null || await security.isCurrent(material);
  }

  /** Replaces the connection; calls on the old one continue. */
  async #connect(): Promise<Connection> {
    const { openConnection } = await import("./connection.ts");
    const fresh = await openConnection(this.#options, this.#clock, this.#closed.signal);
    if (this.#closed.signal.aborted) {
      fresh.close();
      throw this.#closed.signal.reason;
    }
    this.#connection?.retire();
    for (const connection of this.#connections) if (connection.isLost) this.#connections.delete(connection);
    this.#connections.add(fresh);
    this.#connection = fresh;
    return fresh;
  }
}

/** Subtracts the ms that have passed from the call's timeout. */
function remaining(options: CallOptions, used: number): CallOptions {
  return options.timeout === undefined ? options : { ...options, timeout: Math.max(1, options.timeout - used) };
}

/** Rejects with the signal's reason as soon as it is aborted. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
    if (signal.aborted) abort();
  });
}
