/** A channel keeps one connection, and replaces it when it is lost, retired by the server, or its trust has changed. */
import type { CallOptions, ChannelOptions, Clock, GrpcCall, GrpcChannel } from "./channel.ts";
import { SYSTEM_CLOCK } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { credentialHeaders } from "./headers.ts";
import { Code, describeStatus, GrpcError } from "./status.ts";

/** Connects with the first call. */
export function openChannel(options: ChannelOptions): GrpcChannel {
  return new Channel(options);
}

class Channel implements GrpcChannel {
  readonly #options: ChannelOptions;
  readonly #clock: Clock;
  readonly #closed = new AbortController();
  /** For new calls. */
  #connection: Connection | null = null;
  /** That one, and those on which older calls go on. */
  readonly #connections = new Set<Connection>();
  /** Calls that find one under way wait for it. */
  #connecting: Promise<Connection> | null = null;

  constructor(options: ChannelOptions) {
    if (options.target.tls !== (options.security !== null)) throw new TypeError("TLS needs a way to verify the server");
    this.#options = options;
    this.#clock = options.clock ?? SYSTEM_CLOCK;
  }

  async open(method: string, options: CallOptions = {}, signal?: AbortSignal): Promise<GrpcCall> {
    signal?.throwIfAborted();
    const began = this.#clock.now();
    // Each call, not each connection: tokens are exchanged on disk every hour or so.
    const credentials = await credentialHeaders(this.#options.token);
    const connection = await abortable(this.#connected(), signal);
    signal?.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    return connection.call(method, left(options, this.#clock.now() - began), credentials, signal);
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
    const answer = await abortable(call.read(), signal);
    if (answer === null) throw new GrpcError(Code.Internal, "server ended the call without an answer", "call");
    // The status counts, not the message: what comes after it decides.
    if (await call.read() !== null) {
      call.cancel();
      throw new GrpcError(Code.Internal, "server sent more than one answer", "call");
    }
    return answer.toBytes();
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
      // New roots that do not work are no reason to give up what does.
      if (known === null || !known.usable || !(error instanceof GrpcError)) throw error;
      this.#options.warn?.(`keeping the connection to ${this.#options.target.text}: ${describeStatus(error)}`);
      return known;
    }
  }

  async #isCurrent({ material }: Connection): Promise<boolean> {
    const { security } = this.#options;
    return security === null || material === null || await security.isCurrent(material);
  }

  /** Calls on the old connection go on. */
  async #connect(): Promise<Connection> {
    const { openConnection } = await import("./connection.ts");
    const fresh = await openConnection(this.#options, this.#clock, this.#closed.signal);
    if (this.#closed.signal.aborted) {
      fresh.close();
      throw this.#closed.signal.reason;
    }
    this.#connection?.retire();
    for (const connection of this.#connections) if (connection.gone) this.#connections.delete(connection);
    this.#connections.add(fresh);
    this.#connection = fresh;
    return fresh;
  }
}

/** What is left of the call's time. */
function left(options: CallOptions, used: number): CallOptions {
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
