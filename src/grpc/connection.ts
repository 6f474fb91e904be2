/** One HTTP/2 connection to a server: dial, TLS, session, keepalive, calls. */
import type * as http2 from "node:http2";
import type * as net from "node:net";
import type { Header } from "../config/config.ts";
import type { Clock, Timer } from "../net/clock.ts";
import { Http2Call } from "./call.ts";
import type { CallOptions, ChannelOptions, TlsMaterial } from "./channel.ts";
import { connectError, dial, systemText } from "./dial.ts";
import { requestHeaders } from "./headers.ts";
import { goawayError, goawayText } from "./response.ts";
import { explainRefusal, secureSocket, UnexplainedRefusal } from "./secure_socket.ts";
import { Code, GrpcError } from "./status.ts";

const CONNECT_TIMEOUT = 5_000;
/** ms. For a server that accepts the connection and sends nothing (`docs/spec/observed.md` O31). */
const PREFACE_TIMEOUT = 10_000;
const MESSAGE_LIMIT = 4 * 1024 * 1024;
const KEEPALIVE = { interval: 30_000, timeout: 10_000 };
/** Flow-control window of a stream in bytes; the connection has twice as much. */
const WINDOW = 1 << 20;
const CLOSED_BY_SERVER = "the server closed it";

/** An HTTP/2 connection with its calls. It closes itself after a GOAWAY once its last call has ended. */
export class Connection {
  /** As given by `TlsSecurity`; null: plaintext. */
  readonly material: TlsMaterial | null;
  readonly #options: ChannelOptions;
  readonly #clock: Clock;
  readonly #socket: net.Socket;
  readonly #session: http2.ClientHttp2Session;
  readonly #preface: Timer;
  #hasSettings = false;
  #keepalive: Timer | null = null;
  #calls = 0;
  #goaway: { readonly code: number; readonly text: string } | null = null;
  #lost: GrpcError | null = null;
  #closing = false;

  constructor(
    options: ChannelOptions,
    clock: Clock,
    socket: net.Socket,
    session: http2.ClientHttp2Session,
    material: TlsMaterial | null,
  ) {
    this.material = material;
    this.#socket = socket;
    this.#options = options;
    this.#clock = clock;
    this.#session = session;
    this.#preface = clock.after(PREFACE_TIMEOUT, () => {
      this.#fail(
        new GrpcError(Code.Unavailable, `server sent no HTTP/2 settings in ${PREFACE_TIMEOUT / 1000} s`, "call"),
      );
    });
    session.on("remoteSettings", () => {
      this.#hasSettings = true;
      this.#preface.cancel();
    });
    session.on("goaway", (code, _last, debug) => this.#goaway ??= { code, text: goawayText(code, debug) });
    session.on("error", (error) => this.#fail(this.#lostBy(systemText(error))));
    session.on("close", () => this.#fail(this.#lostBy(CLOSED_BY_SERVER)));
  }

  /** True after the connection was closed or lost. */
  get isLost(): boolean {
    return this.#lost !== null;
  }

  /** True while new calls may be started. */
  get usable(): boolean {
    return this.#lost === null && this.#goaway === null && !this.#closing && !this.#session.destroyed;
  }

  /** Begins a call. Throws {@link GrpcError}. `method`: `/package.Service/Method`. */
  call(method: string, options: CallOptions, credentials: readonly Header[], signal?: AbortSignal): Http2Call {
    const { target, headers, messageLimit } = this.#options;
    const timeout = options.timeout ?? null;
    const sent = requestHeaders(target, method, timeout, headers, options.headers ?? [], credentials);
    let stream: http2.ClientHttp2Stream;
    try {
      stream = this.#session.request(sent);
    } catch (error) {
      throw this.#lost ?? this.#lostBy(systemText(error));
    }
    this.#calls++;
    this.#keepalive ??= this.#scheduleKeepalive();
    return new Http2Call({
      stream,
      clock: this.#clock,
      messageLimit: messageLimit ?? MESSAGE_LIMIT,
      timeout,
      signal,
      lost: () => this.#whyLost(),
      ended: () => this.#ended(),
    });
  }

  /** Closes the connection after its last call has ended. */
  retire(): void {
    this.#closing = true;
    if (this.#calls === 0) this.close();
  }

  /** Closes the connection and cancels its calls. Idempotent. */
  close(): void {
    this.#end(new GrpcError(Code.Cancelled, "channel was closed by us", "call"));
  }

  #ended(): void {
    this.#calls--;
    if (this.#calls > 0) return;
    this.#keepalive?.cancel();
    this.#keepalive = null;
    if (this.#closing || this.#goaway !== null) this.close();
  }

  /** For a stream that ended without a status: returns null where only the stream and not the connection was lost. */
  #whyLost(): GrpcError | null {
    if (this.#lost !== null) return this.#lost;
    const isClosed = this.#session.destroyed || this.#session.closed || this.#socket.destroyed ||
      this.#socket.readableEnded;
    if (this.#goaway !== null) return goawayError(this.#goaway.code, this.#goaway.text);
    return isClosed ? this.#lostBy(CLOSED_BY_SERVER) : null;
  }

  #lostBy(source: string): GrpcError {
    const how = this.#hasSettings
      ? source
      : `${source}, before any HTTP/2; is ${this.#options.target.text} a gRPC port?`;
    return new GrpcError(Code.Unknown, "connection to the server was lost", "call", how);
  }

  /** After a GOAWAY, its code is reported instead of the error that follows it. */
  #fail(reason: GrpcError): void {
    this.#end(this.#goaway === null ? reason : goawayError(this.#goaway.code, this.#goaway.text));
  }

  #end(reason: GrpcError): void {
    if (this.#lost !== null) return;
    this.#lost = reason;
    this.#preface.cancel();
    this.#keepalive?.cancel();
    this.#session.destroy();
  }

  #scheduleKeepalive(): Timer {
    const { interval } = this.#options.keepalive ?? KEEPALIVE;
    return this.#clock.after(interval, () => this.#ping());
  }

  #ping(): void {
    if (this.#session.destroyed) return;
    const { timeout } = this.#options.keepalive ?? KEEPALIVE;
    this.#keepalive = this.#clock.after(timeout, () => {
      const text = `server did not answer an HTTP/2 ping within ${timeout / 1000} s`;
      this.#fail(new GrpcError(Code.Unavailable, text, "call"));
    });
    this.#session.ping(() => {
      this.#keepalive?.cancel();
      this.#keepalive = this.#calls > 0 && this.#lost === null ? this.#scheduleKeepalive() : null;
    });
  }
}

/** Dials, performs the TLS handshake and starts HTTP/2. Rejects with {@link GrpcError}, or the signal's reason. */
export async function openConnection(options: ChannelOptions, clock: Clock, signal: AbortSignal): Promise<Connection> {
  const { target, security } = options;
  const timeout = options.connectTimeout ?? CONNECT_TIMEOUT;
  const material = security === null ? null : await security.material();
  const plain = await dial(target.endpoint, timeout, clock, signal);
  const socket = material === null ? plain : await secure(plain, options, material, clock, signal);
  const { connect } = await import("node:http2");
  const session = connect(`${target.tls ? "https" : "http"}://${target.authority}`, {
    createConnection: () => socket,
    settings: { initialWindowSize: WINDOW, enablePush: false },
  });
  // `connect` is also emitted for a session that was destroyed in the meantime.
  session.once("connect", () => session.destroyed || session.setLocalWindowSize(2 * WINDOW));
  return new Connection(options, clock, socket, session, material);
}

async function secure(
  plain: net.Socket,
  options: ChannelOptions,
  material: TlsMaterial,
  clock: Clock,
  signal: AbortSignal,
): Promise<net.Socket> {
  try {
    return await secureSocket(plain, material, clock, signal);
  } catch (error) {
    if (!(error instanceof UnexplainedRefusal)) throw error;
    throw await explained(error, options, material, clock, signal);
  }
}

/** The TLS engine does not say why it refused a certificate. A second handshake lets `server_path.ts` check it. */
async function explained(
  error: UnexplainedRefusal,
  { target, connectTimeout }: ChannelOptions,
  material: TlsMaterial,
  clock: Clock,
  signal: AbortSignal,
): Promise<GrpcError> {
  try {
    const again = await dial(target.endpoint, connectTimeout ?? CONNECT_TIMEOUT, clock, signal);
    const reason = await explainRefusal(again, material, clock, signal);
    return reason === null ? error : connectError(reason);
  } catch {
    signal.throwIfAborted();
    const guess = "without a look at the certificate it fails as well, so the server may not hold its key";
    return connectError(`${error.source}; ${guess}`);
  }
}
