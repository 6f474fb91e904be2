/**
 * Records of the simulated TLS: messages and payload are framed on any stream, so it also runs inside of a tunnel. Nothing
 * is encrypted, and it is not compatible with TLS.
 *
 *     kind (1 byte) | length (3 bytes) | payload
 */
import { type Duplex, type DuplexSink, type Ending, FAILED } from "../duplex.ts";

export const ALERT = 0x15;
export const HANDSHAKE = 0x16;
export const DATA = 0x17;

/** What was received first: payload, a whole message, something that is not a record, or nothing yet. */
export type Head = "data" | "handshake" | "alert" | "garbage" | null;

const HEADER = 4;
/** RFC 8446 §5.1. */
const MAX_DATA = 16_384;
/** Room for a chain of certificates. */
const MAX_MESSAGE = 1 << 18;

const kinds: Readonly<Record<number, "data" | "handshake" | "alert">> = {
  [ALERT]: "alert",
  [HANDSHAKE]: "handshake",
  [DATA]: "data",
};

/** Sends and receives records on a stream. */
export class RecordChannel implements DuplexSink {
  readonly plain: Duplex;
  /** Handles notifications of the plain stream: the handshake, then the secured stream. */
  user: DuplexSink;
  #inbox = new Uint8Array(HEADER + MAX_DATA);
  #start = 0;
  #end = 0;
  #record: { readonly kind: "data" | "handshake" | "alert" | "garbage"; left: number } | null = null;
  /** Its users bound it: one message, or one write at a time. */
  #outbox: Uint8Array[] = [];

  constructor(plain: Duplex, user: DuplexSink) {
    this.plain = plain;
    this.user = user;
  }

  /** Adds a record for the next {@link flush}. */
  send(kind: number, payload: Uint8Array): void {
    const most = kind === DATA ? MAX_DATA : MAX_MESSAGE;
    let from = 0;
    do {
      const part = payload.subarray(from, from + most);
      const record = new Uint8Array(HEADER + part.length);
      record.set([kind, part.length >> 16, (part.length >> 8) & 0xff, part.length & 0xff]);
      record.set(part, HEADER);
      this.#outbox.push(record);
      from += most;
    } while (from < payload.length);
  }

  /** Writes all records. False: some are left, or the plain stream has failed. */
  flush(): boolean {
    for (let record = this.#outbox[0]; record !== undefined; record = this.#outbox[0]) {
      const taken = this.plain.write(record);
      if (taken === FAILED) return false;
      if (taken < record.length) {
        this.#outbox[0] = record.subarray(taken);
        return false;
      }
      this.#outbox.shift();
    }
    return true;
  }

  /** What can be taken now, after reading as much as needed. */
  next(): Head {
    for (;;) {
      const head = this.buffered();
      if (head !== null || !this.#fill()) return head;
    }
  }

  /** As {@link next}, without reading. */
  buffered(): Head {
    for (;;) {
      const record = this.#record ??= this.#parseHeader();
      if (record === null) return null;
      const held = this.#end - this.#start;
      if (record.kind !== "data") return record.kind === "garbage" || held >= record.left ? record.kind : null;
      if (record.left > 0) return held > 0 ? "data" : null;
      this.#record = null;
    }
  }

  /** Returns the whole message that {@link next} has found, and leaves it in place. */
  peekMessage(): Uint8Array {
    return this.#inbox.slice(this.#start, this.#start + (this.#record?.left ?? 0));
  }

  /** Returns the whole message that {@link next} has found. */
  takeMessage(): Uint8Array {
    const message = this.peekMessage();
    this.#start += message.length;
    this.#record = null;
    return message;
  }

  /** Takes payload that {@link next} has found, as much as there is and fits. Returns how many bytes. */
  takeData(into: Uint8Array): number {
    const record = this.#record;
    if (record === null) return 0;
    const count = Math.min(into.length, record.left, this.#end - this.#start);
    into.set(this.#inbox.subarray(this.#start, this.#start + count));
    this.#start += count;
    record.left -= count;
    return count;
  }

  onReadable(): void {
    this.user.onReadable();
  }

  onWritable(): void {
    this.user.onWritable();
  }

  onFailure(ending: Ending): void {
    this.user.onFailure(ending);
  }

  #parseHeader(): { kind: "data" | "handshake" | "alert" | "garbage"; left: number } | null {
    const [kind, high, middle, low] = this.#inbox.subarray(this.#start, this.#end);
    if (kind !== undefined && kinds[kind] === undefined) return { kind: "garbage", left: 0 };
    if (kind === undefined || high === undefined || middle === undefined || low === undefined) return null;
    const left = (high << 16) | (middle << 8) | low;
    this.#start += HEADER;
    return { kind: left <= MAX_MESSAGE ? kinds[kind]! : "garbage", left };
  }

  #fill(): boolean {
    if (this.#start > 0) {
      this.#inbox.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    if (this.#end === this.#inbox.length) {
      const larger = new Uint8Array(HEADER + MAX_MESSAGE);
      larger.set(this.#inbox);
      this.#inbox = larger;
    }
    const count = this.plain.read(this.#inbox.subarray(this.#end));
    if (count <= 0) return false;
    this.#end += count;
    return true;
  }
}
