/** A stream whose first bytes were read already: reads return them first, then the rest. */
import type { SocketAddress } from "./address.ts";
import type { NetworkPath } from "./network_path.ts";
import type { Duplex, DuplexSink, Ending, Segments } from "./duplex.ts";

/** `inner`, preceded by bytes that were read from it before. */
export class PrefixedDuplex implements Duplex {
  readonly #inner: Duplex;
  #prefix: Uint8Array;

  constructor(prefix: Uint8Array, inner: Duplex) {
    this.#prefix = prefix;
    this.#inner = inner;
  }

  get local(): SocketAddress {
    return this.#inner.local;
  }
  get remote(): SocketAddress {
    return this.#inner.remote;
  }
  get readable(): boolean {
    return this.#prefix.length > 0 || this.#inner.readable;
  }
  get ended(): boolean {
    return this.#prefix.length === 0 && this.#inner.ended;
  }
  get broken(): boolean {
    return this.#inner.broken;
  }
  get failure(): Ending | null {
    return this.#inner.failure;
  }
  get writeUnit(): number {
    return this.#inner.writeUnit;
  }

  get path(): NetworkPath | null {
    return this.#inner.path;
  }

  start(sink: DuplexSink): void {
    this.#inner.start(sink);
  }

  read(into: Uint8Array): number {
    if (this.#prefix.length === 0) return this.#inner.read(into);
    const count = Math.min(into.length, this.#prefix.length);
    into.set(this.#prefix.subarray(0, count));
    this.#prefix = this.#prefix.subarray(count);
    return count;
  }

  readScatter(into: Uint8Array, segments: Segments, count: number): number {
    if (this.#prefix.length === 0) return this.#inner.readScatter(into, segments, count);
    return this.read(into.subarray(segments[0]!, segments[0]! + segments[1]!));
  }

  write(bytes: Uint8Array, last?: boolean): number {
    return this.#inner.write(bytes, last);
  }

  writeGather(from: Uint8Array, segments: Segments, count: number, last?: boolean): number {
    return this.#inner.writeGather(from, segments, count, last);
  }

  end(): void {
    this.#inner.end();
  }

  close(reset?: boolean): void {
    this.#inner.close(reset);
  }
}
