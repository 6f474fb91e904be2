/**
 * A peer of the mesh whose TLS records or HTTP/2 frames cost the reader more than the writer: `hostile.ts FOLDER HOST
 * KIND COUNT`. FOLDER is where `handshake_peer.ts serve` wrote its certificates; HOST has an inbound port and
 * `echo.ts`. Opens a tunnel, encrypts everything in advance and prints `ready`. On SIGUSR2 it sends all of it as fast
 * as possible, prints `sent` or, when the other side closed the connection before, `cut`, and then waits.
 */
import { FLAG_END_HEADERS, FRAME_HEADER, FrameType, getUint24, getUint31, PREFACE } from "../src/h2/frame.ts";
import { HpackEncoder } from "../src/h2/hpack/encoder.ts";
import { data, frame, settings, settingsAck } from "../src/h2/testkit/frames.ts";
import { encodePem } from "../src/identity/pem.ts";
import { connect, Readable, receive, send } from "./libc_sockets.ts";
import { MemoryTls } from "./memory_tls.ts";
import { ECHO_PORT } from "./rig.ts";

const INBOUND_PORT = 15008;
const STREAM = 1;
/** Largest payload of a TLS record. */
const RECORD = 16_384;
const FRAME = new Uint8Array(data(STREAM, [0x2e]));

/** Encrypts `count` units of the attack. */
const KINDS: Readonly<Record<string, (tls: MemoryTls, count: number) => void>> = {
  /** Pairs of a KeyUpdate and a record with one byte of a DATA frame. */
  keyUpdates(tls, count) {
    for (let i = 0; i < count; i++) {
      tls.updateKey();
      tls.write(FRAME.slice(i % FRAME.length, i % FRAME.length + 1));
    }
  },
  /** Records with one byte of a DATA frame, whose payload is one byte. */
  records(tls, count) {
    for (let i = 0; i < count; i++) tls.write(FRAME.slice(i % FRAME.length, i % FRAME.length + 1));
  },
  /** Full records of DATA frames, whose payload is one byte. */
  frames(tls, count) {
    const most = Math.floor(RECORD / FRAME.length);
    for (let left = count; left > 0; left -= most) {
      const full = new Uint8Array(FRAME.length * Math.min(left, most));
      for (let at = 0; at < full.length; at += FRAME.length) full.set(FRAME, at);
      tls.write(full);
    }
  },
};

class Hostile {
  readonly #fd: number;
  readonly #readable = new Readable();
  readonly #tls: MemoryTls;
  readonly #buffer = new Uint8Array(65536);
  #closed = false;

  constructor(host: string, certificate: string, key: string) {
    this.#tls = new MemoryTls(certificate, key);
    this.#fd = connect(host, INBOUND_PORT);
    if (this.#fd < 0) throw new Error(`Cannot reach ${host}:${INBOUND_PORT}`);
    this.#readable.add(this.#fd);
  }

  openTunnel(authority: string): void {
    while (!this.#tls.handshake()) {
      this.#send(this.#tls.take());
      this.#receive(-1);
    }
    const into = new Uint8Array(1024);
    const length = new HpackEncoder().encode([[":method", "CONNECT"], [":authority", authority]], into, 0);
    for (const part of [PREFACE, settings(), settingsAck()]) this.#tls.write(new Uint8Array(part));
    const headers = frame(FrameType.HEADERS, FLAG_END_HEADERS, STREAM, into.subarray(0, length));
    this.#tls.write(new Uint8Array(headers));
    this.#send(this.#tls.take());
    while (!this.#answered()) this.#receive(-1);
  }

  encrypt(kind: string, count: number): Uint8Array<ArrayBuffer>[] {
    KINDS[kind]?.(this.#tls, count);
    return this.#tls.take();
  }

  /** False: the other side closed the connection before everything was sent. */
  fire(chunks: readonly Uint8Array<ArrayBuffer>[]): boolean {
    return this.#send(chunks);
  }

  /** Both proxies write whole frames into a record. */
  #answered(): boolean {
    for (let bytes; (bytes = this.#tls.read()) !== null;) {
      for (let at = 0; at + FRAME_HEADER <= bytes.length; at += FRAME_HEADER + getUint24(bytes, at)) {
        if (bytes[at + 3] === FrameType.HEADERS && getUint31(bytes, at + 5) === STREAM) return true;
      }
    }
    return false;
  }

  #send(chunks: readonly Uint8Array<ArrayBuffer>[]): boolean {
    for (const chunk of chunks) {
      for (let rest = chunk; rest.length > 0 && !this.#closed;) {
        const took = send(this.#fd, rest, rest.length);
        if (took > 0) rest = rest.subarray(took);
        else this.#receive(1);
      }
    }
    return !this.#closed;
  }

  #receive(millis: number): void {
    this.#readable.wait(millis, () => {
      const length = receive(this.#fd, this.#buffer);
      if (length > 0) this.#tls.put(this.#buffer, length);
      else this.#closed = true;
    });
    if (this.#closed && millis < 0) throw new Error("Cannot open a tunnel: the connection was ended");
  }
}

const [folder = "", host = "", kind = "", count] = Deno.args;
const { peer } = JSON.parse(Deno.readTextFileSync(`${folder}/credentials.json`));
const [certificate, key] = [`${folder}/hostile-${Deno.pid}.pem`, `${folder}/hostile-${Deno.pid}.key`];
Deno.writeTextFileSync(certificate, encodePem("CERTIFICATE", Uint8Array.fromBase64(peer.leaf)));
Deno.writeTextFileSync(key, encodePem("PRIVATE KEY", Uint8Array.fromBase64(peer.key)));
const hostile = new Hostile(host, certificate, key);
hostile.openTunnel(`${host}:${ECHO_PORT}`);
const chunks = hostile.encrypt(kind, Number(count));
Deno.addSignalListener("SIGUSR2", () => console.log(hostile.fire(chunks) ? "sent" : "cut"));
console.log("ready");
setInterval(() => {}, 60_000);
