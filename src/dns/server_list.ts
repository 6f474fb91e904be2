/** Upstream servers, ordered by smoothed round-trip time (`docs/spec/inpod-dns.md` B5.11). */
import type { SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";

/** Weight of the newest measurement. */
const GAIN = 0.2;
/** Added to the time of a server that does not answer. */
const PENALTY: Millis = 1000;
/** Upper limit of a smoothed time. */
const WORST: Millis = 5000;
/** Factor for the time of a server that was not asked in an exchange, so that it is tried again eventually. */
const SKIP_FACTOR = 0.98;

/** A server with its smoothed round-trip time. */
export class Server {
  /** 0: never asked, so it is tried first. */
  smoothed: Millis = 0;

  constructor(readonly address: SocketAddress) {}

  /** It answered, `after` ms after the question. */
  answered(after: Millis): void {
    this.smoothed = this.smoothed === 0 ? after : this.smoothed * (1 - GAIN) + after * GAIN;
  }

  /** It did not answer. */
  failed(): void {
    this.smoothed = Math.min(WORST, this.smoothed + PENALTY);
  }

  /** It was not asked, as another server answered. */
  skipped(): void {
    this.smoothed *= SKIP_FACTOR;
  }
}

/** The servers of one resolver. */
export class ServerList {
  readonly #servers: readonly Server[];

  constructor(addresses: readonly SocketAddress[]) {
    this.#servers = addresses.map((address) => new Server(address));
  }

  /** The servers, fastest first; with equal times in the order of the file. */
  get inOrder(): Server[] {
    return [...this.#servers].sort((a, b) => a.smoothed - b.smoothed);
  }
}
