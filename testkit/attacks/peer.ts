/** An HTTP/2 peer for attacks: TLS with a certificate of the mesh, and any frames in any order. */
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

/** The inbound port under attack, and the certificate of the attacker. */
export interface Site {
  readonly host: string;
  readonly port: number;
  readonly credentials: Credential;
}

/** What the peer does without being asked to by the test, as the protocol requires; attackers may turn parts of it off. */
export interface PeerBehaviour {
  /** Sends the preface and SETTINGS. Default: true. */
  readonly preface?: boolean;
  /** Acknowledges PING and SETTINGS. Default: true. */
  readonly answers?: boolean;
  /** Returns the credit for received DATA. Default: true. */
  readonly credit?: boolean;
  /** Payload of the first SETTINGS. */
  readonly settings?: readonly number[];
}

/** A received GOAWAY frame. */
interface GoAway {
  readonly code: number;
  readonly debug: string;
}

/** What has been received on one stream. */
interface StreamView {
  /** `:status` of the response. */
  status: string | null;
  /** Bytes of DATA. */
  received: number;
  /** The first {@link KEPT_TEXT} bytes or more, as latin1. */
  text: string;
  /** END_STREAM was received. */
  ended: boolean;
  /** Code of the RST_STREAM, or null. */
  reset: number | null;
}

/** Bytes of DATA after which no more text of a stream is kept. */
const KEPT_TEXT = 4096;
/** Limit of each wait, so that a failing test ends. */
const TIMEOUT_MS = 30_000;

/** One connection of the peer. */
export class Peer implements AsyncDisposable {
  readonly streams = new Map<number, StreamView>();
  /** The last GOAWAY that was received. */
  goAway: GoAway | null = null;
  /** Number of received frames by type. */
  readonly counts = new Map<number, number>();
  closed = false;
  /** `ip:port` of this end, as the proxy logs it. */
  readonly address: string;
  readonly #socket: TLSSocket;
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder({ maxTableSize: 4096, maxListSize: 65_536 });
  readonly #behaviour: PeerBehaviour;
  readonly #watchers = new Set<() => void>();
  #rest: Uint8Array = new Uint8Array(0);
  #nextId = 1;
  /** Bytes given to the socket. */
  sent = 0;

  private constructor(socket: TLSSocket, behaviour: PeerBehaviour) {
    this.#socket = socket;
    this.#behaviour = behaviour;
    this.address = `${socket.localAddress}:${socket.localPort}`;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Uint8Array) => this.#receive(chunk));
    socket.on("close", () => {
      this.closed = true;
      this.#notify();
    });
    // `close` follows each error.
    socket.on("error", () => {});
    if (behaviour.preface !== false) this.send(PREFACE, frame(FrameType.SETTINGS, 0, 0, behaviour.settings ?? []));
  }

  /** Fulfilled after the client's part of the handshake. Rejected when the handshake fails. */
  static connect(site: Site, behaviour: PeerBehaviour = {}): Promise<Peer> {
    const socket = secureSocket(site);
    return new Promise((resolve, reject) => {
      socket.once("secureConnect", () => resolve(new Peer(socket, behaviour)));
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed during the handshake")));
    });
  }

  /** Sends bytes. Returns false when the socket's buffer is full. */
  send(...frames: readonly Uint8Array[]): boolean {
    if (this.closed) return true;
    const bytes = frames.length === 1 ? frames[0]! : Buffer.concat(frames);
    this.sent += bytes.length;
    return this.#socket.write(bytes);
  }

  /** The next unused stream id. */
  newId(): number {
    const id = this.#nextId;
    this.#nextId += 2;
    return id;
  }

  /** A HEADERS frame. `end`: with END_STREAM. */
  headers(id: number, headers: HeaderList, end = false): Uint8Array {
    const into = new Uint8Array(70_000);
    const length = this.#encoder.encode(headers, into, 0);
    return frame(FrameType.HEADERS, FLAG_END_HEADERS | (end ? 1 : 0), id, into.subarray(0, length));
  }

  /** Sends a CONNECT and returns the id of its stream. */
  tunnel(authority: string): number {
    const id = this.newId();
    this.send(this.headers(id, [[":method", "CONNECT"], [":authority", authority]]));
    return id;
  }

  /** What has been received on a stream. */
  stream(id: number): StreamView {
    let view = this.streams.get(id);
    if (view === undefined) {
      view = { status: null, received: 0, text: "", ended: false, reset: null };
      this.streams.set(id, view);
    }
    return view;
  }

  /** Waits until `condition` holds. Returns false when the connection ends before that. */
  async until(condition: () => boolean): Promise<boolean> {
    const deadline = performance.now() + TIMEOUT_MS;
    while (!condition()) {
      if (this.closed) return false;
      if (performance.now() > deadline) throw new Error(`The condition did not become true in time: ${condition}`);
      await this.#nextEvent();
    }
    return true;
  }

  /** Waits until the socket's buffer has space, the connection is closed or `until` is aborted. */
  async drained(until: AbortSignal): Promise<void> {
    while (this.#socket.writableNeedDrain && !this.closed && !until.aborted) await this.#nextEvent();
  }

  /** Closes the TCP connection, with RST if `reset`. */
  close(reset = false): void {
    if (reset) this.#socket.resetAndDestroy();
    else this.#socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.until(() => this.closed);
  }

  /** Fulfilled after the next event of the connection, or after 200 ms. */
  #nextEvent(): Promise<void> {
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

  #notify(): void {
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
    this.#notify();
  }

  #frame(type: number, flags: number, id: number, payload: Uint8Array): void {
    this.counts.set(type, (this.counts.get(type) ?? 0) + 1);
    switch (type) {
      case FrameType.SETTINGS:
        if (!(flags & 1) && this.#behaviour.answers !== false) this.send(settingsAck());
        return;
      case FrameType.PING:
        if (!(flags & 1) && this.#behaviour.answers !== false) this.send(frame(FrameType.PING, 1, 0, payload));
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
    if (this.#behaviour.credit === false || payload.length === 0) return;
    this.send(windowUpdate(0, payload.length), windowUpdate(id, payload.length));
  }
}

/** Opens TLS with the certificate of a workload. The server's certificate is not verified. */
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
