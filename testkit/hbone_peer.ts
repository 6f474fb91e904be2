/**
 * Peers of an inbound port on Node's TLS and HTTP/2, which share no code with the proxy's HTTP/2: an error in it cannot
 * cancel out between both ends.
 */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from "node:http2";
import tls, { type SecureVersion, type TLSSocket } from "node:tls";
import type { Credential } from "./credentials.ts";
import { inTime } from "../lab/eventually.ts";
import type { Place } from "../lab/proxy.ts";

/** How a peer opens TLS. */
export interface TlsOptions {
  /** Null: sends no certificate. */
  readonly credential: Credential | null;
  /** Default `["h2"]`. */
  readonly alpn?: readonly string[];
  /** The only offered version. Default: 1.3. */
  readonly version?: SecureVersion;
}

/** How a connection ended that the proxy refused. */
interface HandshakeEnd {
  /** `ip:port`, as the proxy logs it. */
  readonly from: string;
  /** The error of the TLS library, which contains the alert, or `closed`. */
  readonly reason: string;
}

/** Opens TLS. The server's certificate is not verified: these tests are about the client's. */
function open({ hostname, port }: Place, { credential, alpn = ["h2"], version = "TLSv1.3" }: TlsOptions): TLSSocket {
  return tls.connect({
    host: hostname,
    port,
    ALPNProtocols: [...alpn],
    minVersion: version,
    maxVersion: version,
    rejectUnauthorized: false,
    ...credential ?? {},
  });
}

/** Handshakes, and waits until the proxy closes the connection. */
export async function handshake(place: Place, options: TlsOptions): Promise<HandshakeEnd> {
  const socket = open(place, options);
  let from = "";
  let reason = "closed";
  socket.on("connect", () => from = `${socket.localAddress}:${socket.localPort}`);
  socket.on("error", (error) => reason = error.message);
  socket.resume();
  await inTime("the end of the connection", new Promise((resolve) => socket.once("close", resolve)));
  return { from, reason };
}

/** Handshakes, writes `bytes` (latin1), and returns all received bytes (latin1) after the proxy has closed the connection. */
export async function exchange(
  place: Place,
  options: TlsOptions,
  bytes: string,
): Promise<{ from: string; received: string }> {
  const socket = open(place, options);
  let from = "";
  let received = "";
  socket.on("connect", () => from = `${socket.localAddress}:${socket.localPort}`);
  socket.on("secureConnect", () => socket.write(Buffer.from(bytes, "latin1")));
  socket.on("data", (chunk: Buffer) => received += chunk.toString("latin1"));
  socket.on("error", () => {}); // `close` follows
  await inTime("the end of the connection", new Promise((resolve) => socket.once("close", resolve)));
  return { from, received };
}

/** One HBONE connection of a client. */
export class HbonePeer implements AsyncDisposable {
  readonly #socket: TLSSocket;
  readonly #session: ClientHttp2Session;
  readonly #closed: Promise<unknown>;
  /** Codes of the received GOAWAY frames. */
  readonly goAways: number[] = [];

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.#session = http2.connect("http://hbone", { createConnection: () => socket });
    this.#session.on("error", () => {}); // `close` follows
    this.#session.on("goaway", (code) => this.goAways.push(code));
    this.#closed = new Promise((resolve) => this.#session.once("close", resolve));
  }

  /** Opens the connection. Rejected when the handshake fails. */
  static async connect(place: Place, credential: Credential): Promise<HbonePeer> {
    const socket = open(place, { credential });
    // With TLS 1.3 an alert arrives after the client's part of the handshake; the session's `close` follows it.
    socket.on("error", () => {});
    await inTime("the handshake", once(socket, "secureConnect"));
    return new HbonePeer(socket);
  }

  /** `ip:port`, as the proxy logs it. */
  get from(): string {
    return `${this.#socket.localAddress}:${this.#socket.localPort}`;
  }

  /** Sends a request, by default a CONNECT. */
  request(headers: OutgoingHttpHeaders): PeerStream {
    return new PeerStream(this.#session.request({ ":method": "CONNECT", ...headers }));
  }

  /** Opens a tunnel to `authority`. Rejected unless the status is 200. */
  async tunnel(authority: string): Promise<PeerStream> {
    const stream = this.request({ ":authority": authority });
    const status = await inTime("the response", stream.status);
    if (status !== 200) throw new Error(`CONNECT ${authority} was answered with ${status}`);
    return stream;
  }

  /** Fulfilled when the connection is closed by either side. */
  get closed(): Promise<unknown> {
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
    this.#socket.destroy();
    await this.#closed;
  }
}

/** One stream; all text is latin1. */
export class PeerStream {
  /** `:status` of the response; null if the stream ended without one. */
  readonly status: Promise<number | null>;
  readonly #stream: ClientHttp2Stream;
  readonly #closed: Promise<unknown>;
  #received = "";
  #nextEvent = Promise.withResolvers<void>();
  #ended = false;

  constructor(stream: ClientHttp2Stream) {
    this.#stream = stream;
    this.#closed = new Promise((resolve) => stream.once("close", resolve));
    this.status = Promise.race([
      new Promise<number>((resolve) => stream.once("response", (headers) => resolve(Number(headers[":status"])))),
      this.#closed.then(() => null),
    ]);
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => this.#onData(chunk.toString("latin1")));
    stream.on("end", () => this.#onEnd());
    stream.on("close", () => this.#onEnd());
  }

  /** Sends text as DATA. */
  send(text: string): void {
    this.#stream.write(Buffer.from(text, "latin1"));
  }

  /** Half-closes. */
  end(): void {
    this.#stream.end();
  }

  /** The next `size` bytes. Rejected if the stream ends before. */
  async read(size: number): Promise<string> {
    while (this.#received.length < size) {
      if (this.#ended) throw new Error(`the stream ended after ${JSON.stringify(this.#received)}`);
      await inTime(`more than ${JSON.stringify(this.#received)}`, this.#nextEvent.promise);
    }
    const text = this.#received.slice(0, size);
    this.#received = this.#received.slice(size);
    return text;
  }

  /** All remaining bytes up to the end of the stream. */
  async rest(): Promise<string> {
    while (!this.#ended) await inTime("the end of the stream", this.#nextEvent.promise);
    return this.#received;
  }

  /** Waits for the end of the stream. The code of its RST_STREAM, or 0. */
  async resetCode(): Promise<number> {
    await inTime("the end of the stream", this.#closed);
    return this.#stream.rstCode ?? 0;
  }

  #onData(text: string): void {
    this.#received += text;
    this.#notify();
  }

  #onEnd(): void {
    this.#ended = true;
    this.#notify();
  }

  #notify(): void {
    const { resolve } = this.#nextEvent;
    this.#nextEvent = Promise.withResolvers<void>();
    resolve();
  }
}
