/**
 * Counts received bytes that applications have not read yet, of all connections of one thread.
 *
 * Up to {@link HeldBytes.most} bytes, every connection gets credit as bytes arrive. Above that, the credit of peers
 * that hold more than their share is withheld until applications read bytes. Peers may still send what earlier credit
 * allows: above twice that many bytes the connection of a peer above its share is closed, so memory is bounded. The
 * share of each peer identity that holds any bytes is an equal part of {@link HeldBytes.most}.
 */

/** Factor between the limit above which credit is withheld and the one above which connections end. */
const BREACH = 2;

type HeldVerdict =
  | "credit"
  /** The connection's credit is withheld until bytes are read. */
  | "wait"
  /** The connection must end. */
  | "breach";

interface HeldBytesEvents {
  /** The limit was exceeded, by bytes of `peer`. Called again only after the total was below the limit in between. */
  onFull(peer: string, held: number, total: number): void;
}

/**
 * Counts what the connections of one peer identity hold together. Each connection keeps it, so counting needs no
 * lookup.
 */
export class PeerHoldings {
  held = 0;
  /** Open connections of the peer. */
  connections = 0;

  constructor(readonly peer: string) {}
}

/** Counts the held bytes of one thread. */
export class HeldBytes {
  readonly #events: HeldBytesEvents;
  /** By identity: the peers with open connections. */
  readonly #peers = new Map<string, PeerHoldings>();
  #total = 0;
  /** Number of peers that hold bytes. */
  #holders = 0;
  #full = false;

  /** `most`: the limit in bytes. */
  constructor(readonly most: number, events: HeldBytesEvents = { onFull() {} }) {
    this.#events = events;
  }

  /** Bytes that all peers hold. */
  get total(): number {
    return this.#total;
  }

  /** Number of peers that hold bytes. */
  get holders(): number {
    return this.#holders;
  }

  /** A connection of `peer` opens. Call {@link close} when it has ended. */
  open(peer: string): PeerHoldings {
    let holdings = this.#peers.get(peer);
    if (holdings === undefined) this.#peers.set(peer, holdings = new PeerHoldings(peer));
    holdings.connections++;
    return holdings;
  }

  /** The connection receives nothing more. What it has received is counted until it is read or dropped. */
  close(of: PeerHoldings): void {
    if (--of.connections === 0) this.#peers.delete(of.peer);
  }

  /** `length` > 0 bytes arrived for an application. */
  add(of: PeerHoldings, length: number): HeldVerdict {
    if (of.held === 0) this.#holders++;
    of.held += length;
    this.#total += length;
    if (this.#total <= this.most || of.held * this.#holders <= this.most) return "credit";
    if (!this.#full) {
      this.#full = true;
      this.#events.onFull(of.peer, of.held, this.#total);
    }
    return this.#total > BREACH * this.most ? "breach" : "wait";
  }

  /** `length` > 0 bytes were read or dropped. */
  remove(of: PeerHoldings, length: number): void {
    of.held -= length;
    if (of.held === 0) this.#holders--;
    this.#total -= length;
    if (this.#total <= this.most) this.#full = false;
  }
}
