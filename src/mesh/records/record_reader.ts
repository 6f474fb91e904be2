/** Reads the fields of a record (`record_memory.ts`), in the order in which they were written. */
import { Buffer } from "node:buffer";
import type { PortMap } from "../model/model.ts";
import { ByteCache, type Bytes, TextCache } from "./byte_cache.ts";
import { fieldsAt, type Location, type RecordMemory } from "./record_memory.ts";
import { ASCII, KIND, KIND_BITS, TABLE, WIDE } from "./text_table.ts";

/** Texts and port maps that records share. */
const SHARED_TEXTS = 1 << 12;
const SHARED_PORTS = 1 << 9;

/** The reader of one memory. */
export class RecordReader {
  readonly memory: RecordMemory;
  readonly #texts = new TextCache(SHARED_TEXTS);
  readonly #ports = new ByteCache<PortMap>(SHARED_PORTS);
  #bytes = Buffer.alloc(0) as Bytes;
  #table: readonly string[] = [];
  #at = 0;

  constructor(memory: RecordMemory) {
    this.memory = memory;
  }

  /** Begins with the first field of a record. */
  open(at: Location): void {
    const segment = this.memory.segment(at);
    this.#bytes = segment.bytes;
    this.#table = this.memory.texts(at);
    this.#at = fieldsAt(segment, at);
  }

  number(): number {
    const bytes = this.#bytes;
    let byte = bytes[this.#at++]!;
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let shift = 7;; shift += 7) {
      byte = bytes[this.#at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value >>> 0;
    }
  }

  /** Reads a text that few records have. */
  text(): string {
    const head = this.number();
    return this.#own(head, this.#next(head));
  }

  /** Reads a text that many records share. */
  commonText(): string {
    const head = this.number();
    const start = this.#next(head);
    if (head === 0) return "";
    if ((head & KIND) === ASCII) return this.#texts.get(this.#bytes, start, this.#at) ?? "";
    return this.#own(head, start);
  }

  /** Whether the next text is this one. Reads it in either case. */
  isText(text: string): boolean {
    const head = this.number();
    const start = this.#next(head);
    if ((head & KIND) !== ASCII) return this.#own(head, start) === text;
    if (head >>> KIND_BITS !== text.length) return false;
    const bytes = this.#bytes;
    // Backwards, as keys differ in their last characters.
    for (let i = text.length - 1; i >= 0; i--) if (bytes[start + i] !== text.charCodeAt(i)) return false;
    return true;
  }

  skipText(): void {
    this.#next(this.number());
  }

  texts<T extends string>(): readonly T[] {
    const count = this.number();
    if (count === 0) return NONE;
    if (count === 1) return [this.commonText() as T];
    return Array.from({ length: count }, () => this.commonText() as T);
  }

  ports(): PortMap {
    const length = this.number();
    if (length === 0) return NO_PORTS;
    const start = this.#at, end = start + length;
    let ports = this.#ports.get(this.#bytes, start, end);
    if (ports === undefined) {
      const map = new Map<number, number>();
      while (this.#at < end) map.set(this.number(), this.number());
      this.#ports.set(this.#bytes, start, end, ports = map);
    }
    this.#at = end;
    return ports;
  }

  skipPorts(): void {
    this.#at = this.number() + this.#at;
  }

  /** Moves behind a text and returns its start. */
  #next(head: number): number {
    const start = this.#at;
    const kind = head & KIND, length = head >>> KIND_BITS;
    if (kind !== TABLE) this.#at = start + (kind === WIDE ? 2 * length : length);
    return start;
  }

  #own(head: number, start: number): string {
    switch (head & KIND) {
      case ASCII:
        return this.#bytes.latin1Slice(start, this.#at);
      case WIDE:
        return this.#bytes.toString("utf16le", start, this.#at);
      default:
        return this.#table[head >>> KIND_BITS]!;
    }
  }
}

const NONE: readonly never[] = Object.freeze([]);
const NO_PORTS: PortMap = new Map();
