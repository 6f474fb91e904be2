/**
 * Received bytes that applications have not taken yet, of all connections of one thread.
 *
 * Up to {@link HeldBytes.most} bytes everybody gets credit as bytes arrive. Beyond it those who hold more than their
 * share wait with their connection's credit until applications take what is held. What peers were promised before may
 * still come: beyond twice that many bytes a peer above its share loses its connection, so memory has an end. A share is
 * an equal part for each peer identity that holds anything.
 */

/** How much more may be held than the bound of waiting, before connections end. */
const BREACH = 2;

export type HeldVerdict =
  | "credit"
  /** The connection's credit waits until bytes are taken. */
  | "wait"
  /** The connection has to end. */
  | "breach";

export interface HeldBytesEvents {
  /** Bytes of `peer` wait for memory, for the first time since nobody did. */
  onFull(peer: string, held: number, total: number): void;
}

/** What the connections of one peer identity hold together. They keep it, so that counting needs no search. */
export class PeerHoldings {
  held = 0;
  /** Connections of the peer that are open. */
  connections = 0;

  constructor(readonly peer: string) {}
}

export class HeldBytes {
  /** By identity, of peers with open connections. */
  readonly #peers = new Map<string, PeerHoldings>();
  #total = 0;
  /** Peers that hold something. */
  #holders = 0;
  #full = false;

  /** `most`: bytes. */
  constructor(readonly most: number, private readonly events: HeldBytesEvents = { onFull() {} }) {}

  get total(): number {
    return this.#total;
  }

  /** Peers that hold something. */
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

  /** The connection receives nothing more. What it received before is still counted until it is taken. */
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
      this.events.onFull(of.peer, of.held, this.#total);
    }
    return this.#total > BREACH * this.most ? "breach" : "wait";
  }

  /** `length` > 0 of them were taken, or given up. */
  remove(of: PeerHoldings, length: number): void {
    of.held -= length;
    if (of.held === 0) this.#holders--;
    this.#total -= length;
    if (this.#total <= this.most) this.#full = false;
  }
}
