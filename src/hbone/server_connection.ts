/** The server's side of one HBONE connection: HTTP/2 over a TLS stream whose peer is verified. */
import { H2Connection } from "../h2/connection.ts";
import { spreadInterval } from "../h2/keepalive.ts";
import { defaultOptions } from "../h2/limits.ts";
import type { ConnectionHandler, H2Failure, H2Options, HeaderList, Stream } from "../h2/seam.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { Duplex } from "../net/duplex.ts";
import type { HboneLoop } from "./hbone_loop.ts";
import { Transport } from "./transport.ts";

/** Implemented by the owner of a connection. */
interface ServerEvents {
  /** A request. Set `stream.handler` before returning, or answer and end it. */
  onRequest(stream: Stream, headers: HeaderList): void;
  /** The connection has ended: its streams were notified, its last frames are sent, its socket is closed. */
  onClosed(failure: H2Failure): void;
}

/** Options of HTTP/2 that differ from the defaults. */
export type ServerHttp2 =
  & Pick<H2Options, "streamWindow" | "connectionWindow" | "maxFrameSize">
  & Partial<Pick<H2Options, "limits" | "sharedResets">>;

/** One HBONE connection of a peer. */
export class ServerConnection implements ConnectionHandler {
  readonly #loop: HboneLoop;
  readonly #events: ServerEvents;
  readonly #h2: H2Connection;
  readonly #transport: Transport;
  #closed = false;
  /** Why HTTP/2 ended; null: it has not, or `close` was called. */
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

  /** Sends GOAWAY; the connection ends with its last stream. */
  drain(): void {
    this.#h2.drain(this.#loop.network.now());
    this.#transport.deadlineMoved();
  }

  /** Called when the peer's certificate or ours was revoked or withdrawn: ends the connection at once. */
  revoke(reason: string): void {
    this.#transport.abandon(reason);
  }

  /** Ends the connection at once. Its streams get `onReset`; `onClosed` is not called. */
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
