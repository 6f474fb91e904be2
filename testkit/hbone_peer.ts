/** Peers of an inbound port that are not ours: the runtime's own TLS and HTTP/2, so that both sides cannot be wrong alike. */
import { Buffer } from "node:buffer";
import { once } from "node:events";
import http2, { type ClientHttp2Session, type ClientHttp2Stream, type OutgoingHttpHeaders } from "node:http2";
import tls, { type SecureVersion, type TLSSocket } from "node:tls";
import type { Credential } from "./credentials.ts";
import { inTime } from "../lab/patience.ts";
import type { Place } from "../lab/proxy.ts";

export interface TlsOptions {
  /** Null: shows no certificate. */
  readonly credential: Credential | null;
  /** Default `["h2"]`. */
  readonly alpn?: readonly string[];
  /** The only version; default 1.3. */
  readonly version?: SecureVersion;
}

/** How a peer that got no further was turned away. */
export interface TurnedAway {
  /** `ip:port`, as the proxy logs it. */
  readonly from: string;
  /** What TLS told, or `closed`. */
  readonly how: string;
}

/** The server's certificate is taken as it is: these tests are about the other one. */
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

/** Handshakes and waits for the proxy to end it. */
export async function knock(place: Place, options: TlsOptions): Promise<TurnedAway> {
  const socket = open(place, options);
  let from = "";
  let how = "closed";
  socket.on("connect", () => from = `${socket.localAddress}:${socket.localPort}`);
  socket.on("error", (error) => how = error.message);
  socket.resume();
  await inTime("the end of the connection", new Promise((resolve) => socket.once("close", resolve)));
  return { from, how };
}

/** Handshakes, writes `bytes` (latin1), and collects what comes until the proxy ends it. */
export async function speak(place: Place, options: TlsOptions, bytes: string): Promise<{ from: string; said: string }> {
  const socket = open(place, options);
  let from = "";
  let said = "";
  socket.on("connect", () => from = `${socket.localAddress}:${socket.localPort}`);
  socket.on("secureConnect", () => socket.write(Buffer.from(bytes, "latin1")));
  socket.on("data", (chunk: Buffer) => said += chunk.toString("latin1"));
  socket.on("error", () => {}); // ends in `close` all the same
  await inTime("the end of the connection", new Promise((resolve) => socket.once("close", resolve)));
  return { from, said };
}

export class HbonePeer implements AsyncDisposable {
  readonly #socket: TLSSocket;
  readonly #session: ClientHttp2Session;
  readonly #closed: Promise<unknown>;
  /** Codes of the GOAWAY frames that came. */
  readonly goAways: number[] = [];

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    this.#session = http2.connect("http://hbone", { createConnection: () => socket });
    this.#session.on("error", () => {}); // ends in `close` all the same
    this.#session.on("goaway", (code) => this.goAways.push(code));
    this.#closed = new Promise((resolve) => this.#session.once("close", resolve));
  }

  /** Fails when the handshake does. */
  static async connect(place: Place, credential: Credential): Promise<HbonePeer> {
    const socket = open(place, { credential });
    // With TLS 1.3 a refusal comes after the client's end of the handshake; the session tells of its end.
    socket.on("error", () => {});
    await inTime("the handshake", once(socket, "secureConnect"));
    return new HbonePeer(socket);
  }

  /** `ip:port`, as the proxy logs it. */
  get from(): string {
    return `${this.#socket.localAddress}:${this.#socket.localPort}`;
  }

  /** Sends a request. Pseudo headers that are not given are those of a CONNECT. */
  request(headers: OutgoingHttpHeaders): PeerStream {
    return new PeerStream(this.#session.request({ ":method": "CONNECT", ...headers }));
  }

  /** A tunnel to `authority`; fails unless the answer is 200. */
  async tunnel(authority: string): Promise<PeerStream> {
    const stream = this.request({ ":authority": authority });
    const status = await inTime("the answer", stream.status);
    if (status !== 200) throw new Error(`CONNECT ${authority} was answered with ${status}`);
    return stream;
  }

  /** When the connection has ended, whoever did it. */
  get closed(): Promise<unknown> {
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#session.destroy();
    this.#socket.destroy();
    await this.#closed;
  }
}

/** One stream, read as bytes. */
export class PeerStream {
  /** `:status` of the answer; null where the stream ended without one. */
  readonly status: Promise<number | null>;
  readonly #stream: ClientHttp2Stream;
  readonly #closed: Promise<unknown>;
  #received = "";
  #news = Promise.withResolvers<void>();
  #over = false;

  constructor(stream: ClientHttp2Stream) {
    this.#stream = stream;
    this.#closed = new Promise((resolve) => stream.once("close", resolve));
    this.status = Promise.race([
      new Promise<number>((resolve) => stream.once("response", (headers) => resolve(Number(headers[":status"])))),
      this.#closed.then(() => null),
    ]);
    stream.on("error", () => {});
    stream.on("data", (chunk: Buffer) => this.#take(chunk.toString("latin1")));
    stream.on("end", () => this.#end());
    stream.on("close", () => this.#end());
  }

  send(text: string): void {
    this.#stream.write(Buffer.from(text, "latin1"));
  }

  /** Half-closes. */
  end(): void {
    this.#stream.end();
  }

  /** The first `size` bytes that came; fails when there will be fewer. */
  async read(size: number): Promise<string> {
    while (this.#received.length < size) {
      if (this.#over) throw new Error(`the stream ended after ${JSON.stringify(this.#received)}`);
      await inTime(`more than ${JSON.stringify(this.#received)}`, this.#news.promise);
    }
    const text = this.#received.slice(0, size);
    this.#received = this.#received.slice(size);
    return text;
  }

  /** All that comes before the other side's end. */
  async rest(): Promise<string> {
    while (!this.#over) await inTime("the end of the stream", this.#news.promise);
    return this.#received;
  }

  /** The code of the reset that ended it, 0 for a proper end. */
  async resetCode(): Promise<number> {
    await inTime("the end of the stream", this.#closed);
    return this.#stream.rstCode ?? 0;
  }

  #take(text: string): void {
    this.#received += text;
    this.#tell();
  }

  #end(): void {
    this.#over = true;
    this.#tell();
  }

  #tell(): void {
    const { resolve } = this.#news;
    this.#news = Promise.withResolvers<void>();
    resolve();
  }
}
