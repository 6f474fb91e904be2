/**
 * AXFR and IXFR over TCP: any number of messages in answer to one (RFC 5936 §2.2), so the client's connection is joined
 * to one of its own to a nameserver, and nobody looks at what goes through any more.
 */
import type { Millis } from "../net/clock.ts";
import type { Loop } from "../net/loop.ts";
import type { Duplex } from "../net/duplex.ts";
import type { Dial, DialEvents, SocketOptions } from "../net/network.ts";
import type { CopyMeter } from "../proxy/copy.ts";
import { PrefixedDuplex } from "../net/prefixed_duplex.ts";
import { Relay } from "../proxy/relay.ts";
import type { Waiting } from "./forwarder.ts";
import type { Server, ServerList } from "./server_list.ts";

const CONNECT_TIMEOUT: Millis = 5000;
const UNMETERED: CopyMeter = { addReceived() {}, addSent() {} };

export interface TransferParts {
  readonly loop: Loop;
  /** Mark and namespace of the sockets. */
  readonly sockets: Pick<SocketOptions, "mark" | "namespace">;
  readonly servers: ServerList;
}

/** A client's connection, given up by whoever served it. */
export interface GivenStream {
  readonly duplex: Duplex;
  /** What was read of it and is not answered. */
  readonly early: Uint8Array;
  /** The connection has ended. */
  onEnd(): void;
}

export interface TransferEvents {
  /** There is a nameserver: gives the client's connection. */
  onConnected(): GivenStream;
  /** An errno name, or `DIAL_TIMEOUT`: of the last nameserver that was tried. */
  onUnreachable(code: string): void;
}

export class ZoneTransfer implements Waiting, DialEvents {
  readonly #parts: TransferParts;
  readonly #events: TransferEvents;
  readonly #left: Server[];
  #dial: Dial | null = null;
  #relay: Relay | null = null;

  constructor(parts: TransferParts, events: TransferEvents) {
    this.#parts = parts;
    this.#events = events;
    this.#left = parts.servers.inOrder;
    this.#next();
  }

  abort(): void {
    this.#dial?.abort();
    this.#relay?.cut();
  }

  onConnect(upstream: Duplex): void {
    const { duplex, early, onEnd } = this.#events.onConnected();
    const client = new PrefixedDuplex(early, duplex);
    this.#relay = new Relay(this.#parts.loop, client, upstream, UNMETERED, { onCopied: onEnd });
    this.#relay.start();
  }

  onDialFailure({ code }: { readonly code: string }): void {
    if (this.#left.length === 0) this.#events.onUnreachable(code);
    else this.#next();
  }

  #next(): void {
    const { loop, sockets } = this.#parts;
    const server = this.#left.shift()!;
    this.#dial = loop.network.dial(server.address, { ...sockets, timeout: CONNECT_TIMEOUT }, this);
  }
}
