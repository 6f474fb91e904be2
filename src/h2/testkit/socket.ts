/** For tests only: a connection on a `node:net` socket or any `Duplex` of node. Its clock does not advance. */
import type { Duplex } from "node:stream";
import { makeH2Memory } from "../memory.ts";
import { H2Connection } from "../connection.ts";
import type { ConnectionHandler, H2Failure, H2Options, HeaderList, Stream } from "../seam.ts";

const NOW = 0;

/**
 * Flushes after each event, as a reactor does at the end of a turn. Closes the socket when the connection has ended.
 */
export class SocketDriver implements ConnectionHandler {
  readonly #socket: Duplex;
  readonly #handler: ConnectionHandler;
  readonly connection: H2Connection;
  #flushing = false;
  #again = false;

  constructor(socket: Duplex, options: H2Options, handler: ConnectionHandler) {
    this.#socket = socket;
    this.#handler = handler;
    this.connection = new H2Connection(options, this, makeH2Memory(), NOW);
    socket.on("data", (chunk: Uint8Array) => {
      this.connection.receive(chunk, 0, chunk.length, NOW);
      while (this.connection.hasPendingWork) this.connection.resume(NOW);
      this.flush();
    });
    socket.on("end", () => this.#transportEnded("end of stream"));
    socket.on("error", (error: Error) => this.#transportEnded(error.message));
    socket.on("close", () => this.#transportEnded("closed"));
    socket.on("drain", () => this.flush());
  }

  onRequest(stream: Stream, headers: HeaderList, end: boolean): void {
    this.#handler.onRequest(stream, headers, end);
  }
  onSettings(): void {
    this.#handler.onSettings();
  }
  onGoAway(lastStreamId: number, failure: H2Failure): void {
    this.#handler.onGoAway(lastStreamId, failure);
  }
  onOutput(): void {
    queueMicrotask(() => this.flush());
    this.#handler.onOutput();
  }
  onEnd(failure: H2Failure): void {
    this.#handler.onEnd(failure);
    queueMicrotask(() => this.#close());
  }

  flush(): void {
    this.#again = true;
    if (this.#flushing) return;
    this.#flushing = true;
    while (this.#again) {
      this.#again = false;
      this.connection.flushTo(this);
    }
    this.#flushing = false;
  }

  /** For `flushTo`. */
  write(bytes: Uint8Array): number {
    if (this.#socket.destroyed || this.#socket.writableEnded) return -1;
    if (this.#socket.writableNeedDrain) return 0;
    this.#socket.write(bytes.slice());
    return bytes.length;
  }

  #close(): void {
    this.flush();
    this.#socket.end();
  }

  #transportEnded(reason: string): void {
    this.connection.transportEnded(reason);
    if (!this.#socket.writableEnded) this.#socket.end();
  }
}
