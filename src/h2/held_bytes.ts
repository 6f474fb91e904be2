/**
 * Counts received bytes that applications have not read yet, of all connections of one thread.
 *
 * Up to {@link HeldBytes.most} bytes, every connection gets credit as bytes arrive. Beyond it, connections of peers
 * that hold more than their share get no credit until applications read bytes. Peers may still send what earlier credit
 * allows: beyond twice that many bytes a peer above its share loses its connection, so memory is bounded. A share is an
 * equal part for each peer identity that holds any bytes.
 */

/** Factor between the bound at which credit is held back and the one at which connections end. */
const BREACH = 2;

export type HeldVerdict =
  | "credit"
  /** The connection's credit is held back until bytes are read. */
  | "wait"
  /** The connection must end. */
  | "breach";

export interface HeldBytesEvents {
  /** The bound was exceeded, by bytes of `peer`. Called once until the total is below the bound again. */
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
