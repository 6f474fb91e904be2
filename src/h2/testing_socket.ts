/** For tests and tools only: a connection on a `node:net` socket or any `Duplex` of node. */
import type { Duplex } from "node:stream";
import { BufferPool } from "./buffer_pool.ts";
import { H2Connection } from "./connection.ts";
import type { ConnectionHandler, H2Failure, H2Options } from "./seam.ts";

/** Flushes after each event, as a reactor does at the end of a turn; closes the socket when the connection is over. */
export class SocketDriver {
  readonly connection: H2Connection;
  private flushing = false;
  private again = false;
  private timer: ReturnType<typeof setInterval> | undefined;

  constructor(private readonly socket: Duplex, options: H2Options, handler: ConnectionHandler) {
    const driver = this;
    const wrapped: ConnectionHandler = {
      onRequest: (stream, headers, end) => handler.onRequest(stream, headers, end),
      onOutput() {
        queueMicrotask(() => driver.flush());
        handler.onOutput();
      },
      onSettings: () => handler.onSettings(),
      onGoAway: (last, failure) => handler.onGoAway(last, failure),
      onEnd(failure: H2Failure) {
        handler.onEnd(failure);
        queueMicrotask(() => driver.close());
      },
    };
    this.connection = new H2Connection(options, wrapped, new BufferPool(), performance.now());
    socket.on("data", (chunk: Uint8Array) => {
      this.connection.receive(chunk, 0, chunk.length, performance.now());
      this.flush();
    });
    socket.on("end", () => this.transportEnded("end of stream"));
    socket.on("error", (error: Error) => this.transportEnded(error.message));
    socket.on("close", () => this.transportEnded("closed"));
    socket.on("drain", () => this.flush());
  }

  flush(): void {
    if (this.flushing) {
      this.again = true;
      return;
    }
    this.flushing = true;
    do {
      this.again = false;
      this.connection.flushTo(this);
    } while (this.again);
    this.flushing = false;
  }

  write(bytes: Uint8Array): number {
    if (this.socket.destroyed || this.socket.writableEnded) return -1;
    if (this.socket.writableNeedDrain) return 0;
    this.socket.write(bytes.slice());
    return bytes.length;
  }

  close(): void {
    this.flush();
    this.socket.end();
    clearInterval(this.timer);
  }

  private transportEnded(reason: string): void {
    this.connection.transportEnded(reason);
    if (!this.socket.writableEnded) this.socket.end();
  }
}
