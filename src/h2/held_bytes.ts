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

export class HeldBytes {
  /** By peer identity, those that hold something. */
  readonly #held = new Map<string, number>();
  #total = 0;
  #full = false;

  /** `most`: bytes. */
  constructor(readonly most: number, private readonly events: HeldBytesEvents = { onFull() {} }) {}

  get total(): number {
    return this.#total;
  }

  /** Peers that hold something. */
  get peers(): number {
    return this.#held.size;
  }

  heldBy(peer: string): number {
    return this.#held.get(peer) ?? 0;
  }

  /** `length` bytes of `peer` arrived for an application. */
  add(peer: string, length: number): HeldVerdict {
    const held = this.heldBy(peer) + length;
    this.#held.set(peer, held);
    this.#total += length;
    if (this.#total <= this.most || held * this.#held.size <= this.most) return "credit";
    if (!this.#full) {
      this.#full = true;
      this.events.onFull(peer, held, this.#total);
    }
    return this.#total > BREACH * this.most ? "breach" : "wait";
  }

  /** `length` of them were taken, or given up. */
  remove(peer: string, length: number): void {
    const held = this.heldBy(peer) - length;
    if (held > 0) this.#held.set(peer, held);
    else this.#held.delete(peer);
    this.#total -= length;
    if (this.#total <= this.most) this.#full = false;
  }
}
