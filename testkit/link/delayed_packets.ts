/** The packets in flight in one direction of a {@link SlowLink}, in the order in which they arrive at its far end. */
import { randomNumbers } from "./random_numbers.ts";

/** What a link does to the packets of each direction. */
export interface LinkConditions {
  /** Delay in one direction, in milliseconds: half of the round trip. */
  readonly delayMillis: number;
  /** Rate in bits per second, of IP packets; null: as fast as the relay can. */
  readonly bitsPerSecond: number | null;
  /** With a rate: most bytes that wait for transmission. A packet that does not fit is dropped. */
  readonly queueBytes: number;
  /** Share of the packets that get lost, from 0 to 1, chosen by a seeded generator as are the others. */
  readonly lossShare: number;
  /** Share of the packets that overtake up to {@link REORDER_DEPTH} others, which must be in flight. */
  readonly reorderShare: number;
  /** Share of the packets that arrive twice. */
  readonly duplicateShare: number;
  /** Longer packets are dropped, and nobody is notified: a path whose MTU is smaller and that swallows ICMP. */
  readonly largestPacket: number;
}

/** How many packets a packet overtakes at most. TCP takes more than two for a loss. */
const REORDER_DEPTH = 8;

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
    const { bitsPerSecond, queueBytes, lossShare, delayMillis, reorderShare, duplicateShare } = conditions;
    if (length > conditions.largestPacket || this.#happens(lossShare)) return false;
    if (this.#count === CAPACITY - 1) return false;
    let sentAt = now;
    if (bitsPerSecond !== null) {
      const bytesPerMilli = bitsPerSecond / 8000;
      const start = Math.max(now, this.#lineFreeAt);
      if ((start - now) * bytesPerMilli + length > queueBytes) return false;
      this.#lineFreeAt = sentAt = start + length / bytesPerMilli;
    }
    this.#append(length, sentAt + delayMillis);
    if (this.#happens(reorderShare)) this.#overtake();
    if (this.#happens(duplicateShare)) this.#repeat();
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

  /** Without a share no number is drawn, so that conditions that are not used do not change which packets others hit. */
  #happens(share: number): boolean {
    return share > 0 && this.#random() < share;
  }

  #append(length: number, due: number): void {
    const place = (this.#head + this.#count++) % CAPACITY;
    this.#lengths[place] = length;
    this.#due[place] = due;
  }

  /** The last packet changes places with an earlier one; due times stay where they are. */
  #overtake(): void {
    const others = Math.min(this.#count - 1, REORDER_DEPTH);
    if (others === 0) return;
    const last = (this.#head + this.#count - 1) % CAPACITY;
    const place = (last - 1 - Math.floor(this.#random() * others) + CAPACITY) % CAPACITY;
    [this.#places[place], this.#places[last]] = [this.#places[last]!, this.#places[place]!];
    [this.#lengths[place], this.#lengths[last]] = [this.#lengths[last]!, this.#lengths[place]!];
  }

  /** The last packet arrives a second time, where there is room. */
  #repeat(): void {
    if (this.#count === CAPACITY - 1) return;
    const last = (this.#head + this.#count - 1) % CAPACITY;
    this.space.set(this.#places[last]!);
    this.#append(this.#lengths[last]!, this.#due[last]!);
  }
}
