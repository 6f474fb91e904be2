/**
 * Zone transfers (AXFR and IXFR) over TCP. Their response may have any number of messages (RFC 5936 §2.2), so the
 * client's connection is joined to a new connection to a nameserver, and bytes are copied without reading them.
 */
import type { Millis } from "../net/clock.ts";
import type { Loop } from "../net/loop.ts";
import type { Duplex } from "../net/duplex.ts";
import type { Dial, DialEvents, SocketOptions } from "../net/network.ts";
import type { CopyMeter } from "../proxy/copy.ts";
import { PrefixedDuplex } from "../net/prefixed_duplex.ts";
import { Relay } from "../proxy/relay.ts";
import type { PendingQuery } from "./forwarder.ts";
import type { Server, ServerList } from "./server_list.ts";

const CONNECT_TIMEOUT: Millis = 5000;
const UNMETERED: CopyMeter = { addReceived() {}, addSent() {} };

/** What zone transfers of a pod need. */
export interface TransferParts {
  readonly loop: Loop;
  /** Mark and namespace of the sockets. */
  readonly sockets: Pick<SocketOptions, "mark" | "namespace">;
  readonly servers: ServerList;
}

/** A client's connection, handed over by the code that served it. */
export interface DetachedStream {
  readonly duplex: Duplex;
  /** Bytes that were read from it and not answered. */
  readonly early: Uint8Array;
  /** To be called when the connection has ended. */
  onEnd(): void;
}

/** Callbacks of a transfer. */
interface TransferEvents {
  /** A nameserver is connected. Returns the client's connection. */
  onConnected(): DetachedStream;
  /** No nameserver can be reached. `code`: the last error, an errno name or `DIAL_TIMEOUT`. */
  onUnreachable(code: string): void;
}

/** A transfer in progress; it begins with the constructor. */
export class ZoneTransfer implements PendingQuery, DialEvents {
  readonly #parts: TransferParts;
  readonly #events: TransferEvents;
  readonly #remaining: Server[];
  #dial: Dial | null = null;
  #relay: Relay | null = null;

  constructor(parts: TransferParts, events: TransferEvents) {
    this.#parts = parts;
    this.#events = events;
    this.#remaining = parts.servers.inOrder;
    this.#next();
  }

  abort(): void {
    this.#dial?.abort();
    this.#relay?.cut();
  }

  onConnect(upstream: Duplex): void {
    const { duplex, early, onEnd } = this.#events.onConnected();
    const client = new PrefixedDuplex(early, duplex);
    const owner = { onHalfClosed() {}, onCopied: onEnd };
    this.#relay = new Relay(this.#parts.loop, client, upstream, UNMETERED, owner);
    this.#relay.start();
  }

  onDialFailure({ code }: { readonly code: string }): void {
    if (this.#remaining.length === 0) this.#events.onUnreachable(code);
    else this.#next();
  }

  #next(): void {
    const { loop, sockets } = this.#parts;
    const server = this.#remaining.shift()!;
    this.#dial = loop.network.dial(server.address, { ...sockets, timeout: CONNECT_TIMEOUT }, this);
  }
}
