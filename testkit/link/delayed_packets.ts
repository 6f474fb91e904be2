/** The packets in flight in one direction of a {@link SlowLink}, in the order in which they arrive at its far end. */

/** What a link does to the packets of each direction. */
export interface LinkConditions {
  /** Delay in one direction, in milliseconds: half of the round trip. */
  readonly delayMillis: number;
  /** Rate in bits per second, of IP packets; null: as fast as the relay can. */
  readonly bitsPerSecond: number | null;
  /** With a rate: most bytes that wait for transmission. A packet that does not fit is dropped. */
  readonly queueBytes: number;
  /** Share of the packets that get lost, from 0 to 1, chosen by a seeded generator. */
  readonly lossShare: number;
}

/** Largest packet in bytes: the MTU of the devices. */
export const MTU = 1500;

/** 24 MB of full packets: 200 ms of the 100 MB/s that the relay is made for, and more. */
const CAPACITY = 1 << 14;

/**
 * A bounded queue with due times. It has no clock: `now` is in milliseconds of any clock. The caller reads a packet
 * into {@link space} and then calls {@link accept}; it writes out {@link first} once {@link dueAt} has come.
 */
export class DelayedPackets {
  /** A ring; the memory of a slot is allocated when it is first used. */
  readonly #places: Uint8Array<ArrayBuffer>[] = [];
  readonly #lengths = new Uint16Array(CAPACITY);
  readonly #due = new Float64Array(CAPACITY);
  readonly #random: () => number;
  #head = 0;
  #count = 0;
  /** When all packets accepted so far will have been transmitted. */
  #lineFreeAt = 0;

  constructor(seed: number) {
    this.#random = randomNumbers(seed);
  }

  /** Where the next packet is written, MTU bytes. One slot of the ring stays free for it. */
  get space(): Uint8Array<ArrayBuffer> {
    const place = (this.#head + this.#count) % CAPACITY;
    return this.#places[place] ??= new Uint8Array(MTU);
  }

  /** Accepts the packet in {@link space}, `length` bytes that arrived at `now`. False: it was dropped. */
  accept(length: number, now: number, conditions: LinkConditions): boolean {
    const { bitsPerSecond, queueBytes, lossShare, delayMillis } = conditions;
    if (lossShare > 0 && this.#random() < lossShare) return false;
    if (this.#count === CAPACITY - 1) return false;
    let sentAt = now;
    if (bitsPerSecond !== null) {
      const bytesPerMilli = bitsPerSecond / 8000;
      const start = Math.max(now, this.#lineFreeAt);
      if ((start - now) * bytesPerMilli + length > queueBytes) return false;
      this.#lineFreeAt = sentAt = start + length / bytesPerMilli;
    }
    const place = (this.#head + this.#count++) % CAPACITY;
    this.#lengths[place] = length;
    this.#due[place] = sentAt + delayMillis;
    return true;
  }

  /** When {@link first} arrives at the far end; Infinity when no packet is in flight. */
  get dueAt(): number {
    return this.#count === 0 ? Infinity : this.#due[this.#head]!;
  }

  /** The buffer of the oldest packet, which has {@link firstLength} bytes. */
  get first(): Uint8Array<ArrayBuffer> {
    return this.#places[this.#head]!;
  }

  /** Length of the oldest packet in bytes. */
  get firstLength(): number {
    return this.#lengths[this.#head]!;
  }

  /** Removes {@link first}. */
  removeFirst(): void {
    this.#head = (this.#head + 1) % CAPACITY;
    this.#count--;
  }
}

/** Numbers from 0 to 1 (exclusive), the same for the same seed (Marsaglia, "Xorshift RNGs", 2003). */
function randomNumbers(seed: number): () => number {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
