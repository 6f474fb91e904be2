/** What carries the records of a session that we protect ourselves: a socket, or another stream. */
import { EAGAIN } from "../os/errno.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import type { TlsFailure } from "../os/tls_failure.ts";
import { type Duplex, FAILED } from "./duplex.ts";
import { BROKEN } from "./tls_session.ts";

/** Reads and writes bytes. Whoever made it owns what is below. */
export interface RecordCarrier {
  /** Set once a call has returned {@link BROKEN}. */
  readonly failure: TlsFailure | null;
  /** Reads at most `length` bytes to the start of `into`. Returns how many, 0 where there are none now, or {@link BROKEN}. */
  read(into: Uint8Array, length: number): number;
  /** Writes the first `length` of `bytes`. Returns how many were taken, or {@link BROKEN}. */
  write(bytes: Uint8Array, length: number): number;
}

/** A connected TCP socket. */
export class SocketCarrier implements RecordCarrier {
  readonly #fd: number;
  failure: TlsFailure | null = null;

  constructor(fd: number) {
    this.#fd = fd;
  }

  read(into: Uint8Array, length: number): number {
    const count = libc.read(this.#fd, into as Uint8Array<ArrayBuffer>, length);
    if (count > 0) return count;
    if (count < 0) return this.#refused();
    this.failure = { kind: "eof" };
    return BROKEN;
  }

  write(bytes: Uint8Array, length: number): number {
    const count = libc.write(this.#fd, bytes as Uint8Array<ArrayBuffer>, length);
    return count >= 0 ? count : this.#refused();
  }

  #refused(): number {
    const error = errno();
    if (error === EAGAIN) return 0;
    this.failure = { kind: "system", errno: error };
    return BROKEN;
  }
}

/** A stream, such as one of HTTP/2. Where the stream itself has failed, its own `failure` says more. */
export class StreamCarrier implements RecordCarrier {
  readonly #stream: Duplex;
  failure: TlsFailure | null = null;

  constructor(stream: Duplex) {
    this.#stream = stream;
  }

  read(into: Uint8Array, length: number): number {
    const stream = this.#stream;
    const count = stream.ended ? 0 : stream.read(length === into.length ? into : into.subarray(0, length));
    return count > 0 || (count === 0 && !stream.ended) ? count : this.#broken();
  }

  write(bytes: Uint8Array, length: number): number {
    const count = this.#stream.write(bytes.subarray(0, length));
    return count === FAILED ? this.#broken() : count;
  }

  #broken(): number {
    this.failure = { kind: "eof" };
    return BROKEN;
  }
}
