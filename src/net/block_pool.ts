/** Memory for bytes that a slow reader has not taken yet. */
import { discard } from "../os/memory.ts";
import { FreeList } from "./free_list.ts";
import type { Trimmable } from "./surplus.ts";

/** Bytes of a block. */
export const BLOCK = 65_536;
/** Bytes of a small block. */
export const SMALL_BLOCK = 1024;
/** Up to this many free blocks are kept. */
const KEPT_BLOCKS = 8, KEPT_SMALL_BLOCKS = 64;
/** While fewer blocks than this are lent, bytes that do not fill one may have one, too. */
const FEW = 8;

/**
 * Lends blocks of {@link BLOCK} and of {@link SMALL_BLOCK} bytes. New blocks for each use would be a megabyte of garbage
 * every few milliseconds, which the engine collects too late: they took 20 MB of a proxy under bulk traffic.
 */
export class BlockPool implements Trimmable {
  readonly #free = new FreeList();
  readonly #freeSmall: Uint8Array[] = [];
  #lent = 0;
  readonly #onSurplus: () => void;

  /** `onSurplus`: more blocks are free than are kept. */
  constructor(onSurplus: () => void = () => {}) {
    this.#onSurplus = onSurplus;
  }

  borrow(): Uint8Array {
    this.#lent++;
    return this.#free.take() ?? new Uint8Array(BLOCK);
  }

  /**
   * Returns memory for `size` bytes: a block for most of them, and where many are lent, memory of that size. A thousand
   * slow readers with few bytes each must not hold a block each.
   */
  borrowFor(size: number): Uint8Array {
    if (size <= SMALL_BLOCK) return this.#freeSmall.pop() ?? new Uint8Array(SMALL_BLOCK);
    return size < BLOCK && this.#lent >= FEW ? new Uint8Array(size) : this.borrow();
  }

  /** Takes back what was lent. Memory of another size than that of blocks is left to the collector. */
  giveBack(block: Uint8Array): void {
    if (block.length === SMALL_BLOCK && this.#freeSmall.length < KEPT_SMALL_BLOCKS) this.#freeSmall.push(block);
    if (block.length !== BLOCK) return;
    this.#lent--;
    this.#free.put(block as Uint8Array<ArrayBuffer>);
    if (this.#free.length > KEPT_BLOCKS) this.#onSurplus();
  }

  trim(): boolean {
    this.#free.dropUnused(Math.max(0, this.#free.length - KEPT_BLOCKS), (block) => discard(block.buffer));
    return this.#free.length > KEPT_BLOCKS;
  }

  /** Blocks that wait to be lent. */
  get freeCount(): number {
    return this.#free.length;
  }
}
