/** Servers for tests of channels. They use HTTP/2 directly, so that they can misbehave as no gRPC library does. */
import * as http2 from "node:http2";
import * as net from "node:net";
import * as build from "../../identity/certificate_builder.ts";
import { contextTag } from "../../identity/der.ts";
import * as der from "../../identity/der_write.ts";
import { Oid } from "../../identity/oids.ts";
import { encodePem } from "../../identity/pem.ts";
import { HOUR, type Issuer, type LeafOptions, makeCa, makeLeaf, newKey } from "../../identity/testkit/certificates.ts";
import type { ChannelOptions, TlsSecurity } from "../channel.ts";
import { namedServer } from "../server_trust.ts";
import { parseTarget, type Target } from "../target.ts";

/** One stream of a client with its session and socket. */
export interface Served {
  readonly stream: http2.ServerHttp2Stream;
  readonly headers: http2.IncomingHttpHeaders;
  readonly session: http2.Http2Session;
  readonly socket: net.Socket;
  /** Calls `run` after 5 ms, when written data was sent; not after the server was closed. */
  later(run: () => void): void;
}

/** Handles one stream. */
export type Serve = (served: Served) => void;

/** A listening server that closes everything when it is disposed. */
export class TestServer implements AsyncDisposable {
  readonly #server: http2.Http2Server | http2.Http2SecureServer | net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #streams = new Set<http2.ServerHttp2Stream>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();
  /** The number of accepted connections. */
  connections = 0;

  constructor(server: http2.Http2Server | http2.Http2SecureServer | net.Server, serve: Serve | null) {
    this.#server = server;
    let last: net.Socket | null = null;
    server.on("connection", (socket: net.Socket) => {
      last = socket;
      this.connections++;
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => this.#sockets.delete(socket));
    });
    server.on("sessionError", () => {});
    server.on("tlsClientError", () => {});
    server.on("stream", (stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders) => {
      this.#streams.add(stream);
      stream.on("error", () => {});
      serve?.({ stream, headers, session: stream.session!, socket: last!, later: (run) => this.#later(run) });
    });
  }

  #later(run: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, 5);
    this.#timers.add(timer);
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === "object" && address !== null ? address.port : 0;
  }

  listen(at: { port: number; host: string } | { path: string } = { port: 0, host: "127.0.0.1" }): Promise<this> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(at, () => resolve(this));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#timers) clearTimeout(timer);
    for (const stream of this.#streams) stream.session?.destroy();
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}

/** Starts a server without TLS on loopback. */
export function plainServer(serve: Serve): Promise<TestServer> {
  return new TestServer(http2.createServer(), serve).listen();
}

/** Starts a TCP server on loopback that calls `accept` with each connection. */
export function rawServer(accept: (socket: net.Socket) => void): Promise<TestServer> {
  return new TestServer(net.createServer(accept), null).listen();
}

/** Valid for the clock of this machine. */
export const VALID_NOW = { notBefore: Date.now() - HOUR, notAfter: Date.now() + 24 * HOUR };
/** The CA of all servers here. */
export const ROOT = makeCa("Root", VALID_NOW);
export const ROOT_PEM = encodePem("CERTIFICATE", ROOT.certificate);

/** Returns a subject alternative name extension with one DNS name. */
export function dnsName(name: string): Uint8Array {
  return build.extension(Oid.SUBJECT_ALT_NAME, false, der.sequence(der.text(contextTag(2, false), name)));
}

/** Returns a subject alternative name extension with one address. */
export function ipName(...bytes: number[]): Uint8Array {
  const name = der.element(contextTag(7, false), Uint8Array.from(bytes));
  return build.extension(Oid.SUBJECT_ALT_NAME, false, der.sequence(name));
}

/** A certificate and its key, in PEM. */
export interface ServerIdentity {
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate, for `localhost` unless `leaf` says otherwise. */
export function serverIdentity(issuer: Issuer = ROOT, leaf: LeafOptions = {}): ServerIdentity {
  const key = newKey();
  const certificate = makeLeaf(issuer, "", { ...VALID_NOW, names: [dnsName("localhost")], ...leaf, key });
  const pem = key.export({ type: "pkcs8", format: "pem" });
  return { cert: encodePem("CERTIFICATE", certificate), key: pem.toString() };
}

/** Starts a server with TLS, by default on loopback. */
export function tlsServer(
  serve: Serve,
  options: http2.SecureServerOptions = serverIdentity(),
  at?: { path: string } | { host: string; port: number },
): Promise<TestServer> {
  return new TestServer(http2.createSecureServer(options), serve).listen(at);
}

/** Returns a security that trusts {@link ROOT}. */
export function trustRoot(target: Target, alternativeHostname: string | null = null): TlsSecurity {
  return namedServer(target, {
    roots: { kind: "pem", pem: ROOT_PEM },
    alternativeHostname,
    tls12: false,
    settings: { roots: "XDS_ROOT_CA", alternativeHostname: "ALT_XDS_HOSTNAME" },
  });
}

/** Parses a target; throws where it is not valid. */
export function targetOf(text: string): Target {
  const target = parseTarget(text);
  if (target === null) throw new Error(`"${text}" is no target`);
  return target;
}

/** Returns the options of a channel in plaintext, or with TLS that trusts {@link ROOT}. */
export function channelTo(text: string, options: Partial<ChannelOptions> = {}): ChannelOptions {
  const target = targetOf(text);
  return { target, security: target.tls ? trustRoot(target) : null, headers: [], token: null, ...options };
}

/** Responds with messages of these lengths, then with these trailers; null leaves the call open. */
export function respond(stream: http2.ServerHttp2Stream, lengths: readonly number[], trailers: Trailers | null = OK) {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: trailers !== null });
  for (const length of lengths) stream.write(framed(length));
  if (trailers === null) return;
  stream.on("wantTrailers", () => stream.sendTrailers(trailers));
  stream.end();
}

type Trailers = Record<string, string>;
const OK: Trailers = { "grpc-status": "0" };

/** Returns a message of zeros with its prefix. */
export function framed(length: number, flag = 0): Uint8Array {
  const bytes = new Uint8Array(5 + length);
  bytes[0] = flag;
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}
