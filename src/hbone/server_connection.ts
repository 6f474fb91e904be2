/** The server's half of one HBONE connection: HTTP/2 on a verified TLS stream, requests handed up. */
import { H2Connection } from "../h2/connection.ts";
import { spreadInterval } from "../h2/keepalive.ts";
import { defaultOptions } from "../h2/limits.ts";
import type { ConnectionHandler, H2Failure, H2Options, HeaderList, Stream } from "../h2/seam.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { Duplex } from "../net/duplex.ts";
import type { HboneLoop } from "./hbone_loop.ts";
import { Transport } from "./transport.ts";

export interface ServerEvents {
  /** Set `stream.handler` before returning, or answer and end it. */
  onRequest(stream: Stream, headers: HeaderList): void;
  /** Over, with its last frames gone and its socket closed; its streams have been told. */
  onClosed(failure: H2Failure): void;
}

export type ServerHttp2 =
  & Pick<H2Options, "streamWindow" | "connectionWindow" | "maxFrameSize">
  & Partial<Pick<H2Options, "limits">>;

export class ServerConnection implements ConnectionHandler {
  readonly #loop: HboneLoop;
  readonly #events: ServerEvents;
  readonly #h2: H2Connection;
  readonly #transport: Transport;
  #closed = false;
  /** How it ended by itself. */
  #end: H2Failure | null = null;

  constructor(loop: HboneLoop, duplex: Duplex, peer: SpiffeId, http2: ServerHttp2, events: ServerEvents) {
    this.#loop = loop;
    this.#events = events;
    const defaults = defaultOptions("server");
    const pingInterval = spreadInterval(defaults.pingInterval, loop.random);
    const options = { ...defaults, ...http2, pingInterval, peer };
    this.#h2 = new H2Connection(options, this, loop.h2, loop.network.now());
    this.#transport = new Transport(loop, duplex, this.#h2, () => this.#transportClosed());
    this.#transport.start();
  }

  /** See `Connection.mayResetSoon`. */
  get mayResetSoon(): boolean {
    return this.#h2.mayResetSoon;
  }

  /** GOAWAY; ends with its last stream. */
  drain(): void {
    this.#h2.drain(this.#loop.network.now());
    this.#transport.deadlineMoved();
  }

  /** Called when the peer's certificate or ours was revoked or withdrawn: ends the connection at once. */
  revoke(reason: string): void {
    this.#transport.abandon(reason);
  }

  /** Ends at once. Streams are told; `onClosed` is not called. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#h2.transportEnded("the connection was closed");
    this.#transport.close();
  }

  onRequest(stream: Stream, headers: HeaderList): void {
    this.#events.onRequest(stream, headers);
  }

  onOutput(): void {
    // The connection queues its preface while it is being constructed: `start` flushes that.
    this.#transport?.flushSoon();
  }

  onSettings(): void {}
  onGoAway(): void {}

  onEnd(failure: H2Failure): void {
    this.#end = failure;
    this.#transport.connectionEnded();
  }

  #transportClosed(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#events.onClosed(this.#end!);
  }
}
