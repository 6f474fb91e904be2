/** Upstream servers, the quick ones first (`docs/spec/inpod-dns.md` B5.11: ordered by smoothed round-trip time). */
import type { Millis } from "../net/clock.ts";
import type { SocketAddress } from "../net/address.ts";

/** Weight of the newest measurement. */
const GAIN = 0.2;
/** What an unanswered question adds. */
const PENALTY: Millis = 1000;
const WORST: Millis = 5000;
/** How fast a server that was passed over is forgiven: it must be tried again some day. */
const FORGIVENESS = 0.98;

export class Server {
  /** 0: never heard of, so worth trying. */
  smoothed: Millis = 0;

  constructor(readonly address: SocketAddress) {}

  answered(after: Millis): void {
    this.smoothed = this.smoothed === 0 ? after : this.smoothed * (1 - GAIN) + after * GAIN;
  }

  failed(): void {
    this.smoothed = Math.min(WORST, this.smoothed + PENALTY);
  }

  passedOver(): void {
    this.smoothed *= FORGIVENESS;
  }
}

export class ServerList {
  readonly #servers: readonly Server[];

  constructor(addresses: readonly SocketAddress[]) {
    this.#servers = addresses.map((address) => new Server(address));
  }

  /** Equals keep the order of the file. */
  get inOrder(): Server[] {
    return [...this.#servers].sort((a, b) => a.smoothed - b.smoothed);
  }
}
