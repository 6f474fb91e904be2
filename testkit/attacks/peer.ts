/** A peer whose every byte is written by hand: TLS with a certificate of the mesh, then HTTP/2 as it likes. */
import { Buffer } from "node:buffer";
import { connect, type TLSSocket } from "node:tls";
import {
  FLAG_END_HEADERS,
  FRAME_HEADER,
  FrameType,
  getUint24,
  getUint31,
  getUint32,
  PREFACE,
} from "../../src/h2/frame.ts";
import { HpackDecoder, isFault } from "../../src/h2/hpack/decoder.ts";
import { HpackEncoder } from "../../src/h2/hpack/encoder.ts";
import type { HeaderList } from "../../src/h2/seam.ts";
import { frame, settingsAck, windowUpdate } from "../../src/h2/testkit/frames.ts";
import type { Credential } from "../credentials.ts";

/** The inbound port under attack, and who we say we are. */
export interface Site {
  readonly host: string;
  readonly port: number;
  readonly credentials: Credential;
}

/** What a good peer would do by itself; an attacker may leave it out. */
export interface Manners {
  /** Sends preface and SETTINGS (default), or nothing. */
  readonly preface?: boolean;
  /** Answers PING and SETTINGS (default). */
  readonly answers?: boolean;
  /** Returns the credit of received DATA (default). */
  readonly credit?: boolean;
  /** Payload of the first SETTINGS. */
  readonly settings?: readonly number[];
}

export interface GoAway {
  readonly code: number;
  readonly debug: string;
}

/** What is known of one stream. */
export interface StreamView {
  status: string | null;
  /** Bytes of DATA. */
  received: number;
  text: string;
  ended: boolean;
  /** Code of the RST_STREAM, or null. */
  reset: number | null;
}

/** Text kept of what a stream received. */
const KEPT_TEXT = 4096;
/** No test asserts on time; this only keeps a broken one from hanging. */
const PATIENCE_MS = 30_000;

export class Peer implements AsyncDisposable {
  readonly streams = new Map<number, StreamView>();
  goAway: GoAway | null = null;
  /** Frames that came, by type. */
  readonly counts = new Map<number, number>();
  closed = false;
  /** Where it comes from, as the proxy logs it. */
  readonly address: string;
  readonly #socket: TLSSocket;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder({ maxTableSize: 4096, maxListSize: 65_536 });
  readonly #manners: Manners;
  readonly #watchers = new Set<() => void>();
  #rest: Uint8Array = new Uint8Array(0);
  #nextId = 1;
  sent = 0;

  private constructor(socket: TLSSocket, manners: Manners) {
    this.#socket = socket;
    this.#manners = manners;
    this.address = `${socket.localAddress}:${socket.localPort}`;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("close", () => {
      this.closed = true;
      this.#tell();
    });
    // Where the connection breaks, `close` follows.
    socket.on("error", () => {});
    if (manners.preface !== false) this.send(PREFACE, frame(FrameType.SETTINGS, 0, 0, manners.settings ?? []));
  }

  static connect(site: Site, manners: Manners = {}): Promise<Peer> {
    const socket = secureSocket(site);
    return new Promise((resolve, reject) => {
      socket.once("secureConnect", () => resolve(new Peer(socket, manners)));
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed during the handshake")));
    });
  }

  /** False: the socket is full. */
  send(...frames: readonly Uint8Array[]): boolean {
    if (this.closed) return true;
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
    this.sent += bytes.length;
    return this.#socket.write(bytes);
  }

  /** Id of a stream not used yet. */
  newId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  headers(id: number, headers: HeaderList, end = false): Uint8Array {
    const into = new Uint8Array(70_000);
    const length = this.#encoder.encode(headers, into, 0);
    return frame(FrameType.HEADERS, FLAG_END_HEADERS | (end ? 1 : 0), id, into.subarray(0, length));
  }

  /** Opens a tunnel. */
  tunnel(authority: string): number {
    const id = this.newId();
    this.send(this.headers(id, [[":method", "CONNECT"], [":authority", authority]]));
    return id;
  }

  stream(id: number): StreamView {
    let view = this.streams.get(id);
    if (view === undefined) {
      view = { status: null, received: 0, text: "", ended: false, reset: null };
      this.streams.set(id, view);
    }
    return view;
  }

  /** Waits until `condition` holds. False: the connection ended before. */
  async until(condition: () => boolean): Promise<boolean> {
    const deadline = performance.now() + PATIENCE_MS;
    while (!condition()) {
      if (this.closed) return false;
      if (performance.now() > deadline) throw new Error(`What was waited for has not happened: ${condition}`);
      await this.#news();
    }
    return true;
  }

  /** Waits until a full socket takes bytes again, or is closed, or `until` says stop. */
  async drained(until: AbortSignal): Promise<void> {
    while (this.#socket.writableNeedDrain && !this.closed && !until.aborted) await this.#news();
  }

  /** Ends the TCP connection: with RST or as it should be. */
  close(reset = false): void {
    if (reset) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.until(() => this.closed);
  }

  /** Something happened, or a moment passed. */
  #news(): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        this.#socket.off("drain", done);
        this.#watchers.delete(done);
        resolve();
      };
      const timer = setTimeout(done, 200);
      this.#socket.once("drain", done);
      this.#watchers.add(done);
    });
  }

  #tell(): void {
    for (const wake of [...this.#watchers]) wake();
  }

  #receive(chunk: Uint8Array): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    while (bytes.length - at >= FRAME_HEADER) {
      const end = at + FRAME_HEADER + getUint24(bytes, at);
      if (end > bytes.length) break;
      this.#frame(bytes[at + 3]!, bytes[at + 4]!, getUint31(bytes, at + 5), bytes.subarray(at + FRAME_HEADER, end));
      at = end;
    }
    this.#rest = bytes.slice(at);
    this.#tell();
  }

  #frame(type: number, flags: number, id: number, payload: Uint8Array): void {
    this.counts.set(type, (this.counts.get(type) ?? 0) + 1);
    switch (type) {
      case FrameType.SETTINGS:
        if (!(flags & 1) && this.#manners.answers !== false) this.send(settingsAck());
        return;
      case FrameType.PING:
        if (!(flags & 1) && this.#manners.answers !== false) this.send(frame(FrameType.PING, 1, 0, payload));
        return;
      case FrameType.GOAWAY:
        this.goAway = { code: getUint32(payload, 4), debug: new TextDecoder().decode(payload.subarray(8)) };
        return;
      case FrameType.RST_STREAM:
        this.stream(id).reset = getUint32(payload, 0);
        return;
      case FrameType.HEADERS:
        this.#headers(this.stream(id), payload);
        break;
      case FrameType.DATA:
        this.#data(id, payload);
    }
    if (flags & 1) this.stream(id).ended = true;
  }

  #headers(stream: StreamView, payload: Uint8Array): void {
    const list = this.#decoder.decode(payload, 0, payload.length);
    if (!isFault(list)) stream.status = list.find(([name]) => name === ":status")?.[1] ?? null;
  }

  #data(id: number, payload: Uint8Array): void {
    const stream = this.stream(id);
    stream.received += payload.length;
    if (stream.text.length < KEPT_TEXT) stream.text += new TextDecoder("latin1").decode(payload);
    if (this.#manners.credit === false || payload.length === 0) return;
    this.send(windowUpdate(0, payload.length), windowUpdate(id, payload.length));
  }
}

/** TLS as a workload of the mesh would open it. Whom we reach does not matter to an attacker. */
export function secureSocket({ host, port, credentials }: Site): TLSSocket {
  return connect({
    host,
    port,
    ...credentials,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ALPNProtocols: ["h2"],
    minVersion: "TLSv1.3",
  });
}
