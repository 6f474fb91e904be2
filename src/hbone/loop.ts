/** What all connections of one event loop share: the network, and the large buffers nobody needs for long. */
import { BufferPool } from "../h2/buffer_pool.ts";
import { FreeList } from "../h2/free_list.ts";
import { HeldBytes } from "../h2/held_bytes.ts";
import { type H2Memory, makeH2Memory } from "../h2/memory.ts";
import { discard } from "../os/memory.ts";
import type { Network } from "../net/network.ts";
import { Rounds } from "../net/rounds.ts";
import { Portions } from "./portions.ts";

/** Most parts one system call takes. */
export const MAX_PARTS = 64;
const MAX_FREE_LISTS = 256;
/** Bytes of a {@link BlockPool} block. */
export const BLOCK = 65_536;
/** Up to this many free bytes in blocks are kept. */
const KEPT_BLOCKS = 8;

/** Decrypted bytes of one pass; lent to the streams until the pass is over. */
const INPUT_SIZE = 262_144;

export interface Loop {
  readonly network: Network;
  /** In [0, 1): spreads periodic work of connections over time. */
  readonly random: () => number;
  readonly input: Uint8Array;
  readonly h2: H2Memory;
  readonly portions: Portions;
  /** Of connections whose bytes are more work than fits into one turn. */
  readonly rounds: Rounds;
  readonly parts: PartsPool;
  readonly blocks: BlockPool;
}

/**
 * `onSurplus`: a burst has left free buffers behind; call `trim` periodically until it returns false, to free those
 * that are no longer used.
 */
export function makeLoop(
  network: Network,
  onSurplus: (trim: () => boolean) => void = () => {},
  random: () => number = () => 0.5,
  held = new HeldBytes(Infinity),
): Loop {
  const trim = () => {
    const more = [buffers.trim(), blocks.trim()];
    return surplus = more.includes(true);
  };
  let surplus = false;
  const noteSurplus = () => {
    if (!surplus) onSurplus(trim);
    surplus = true;
  };
  const buffers = new BufferPool({ onCrowded: () => network.endTurnSoon(), onSurplus: noteSurplus, discard });
  const blocks = new BlockPool(noteSurplus);
  return {
    network,
    random,
    input: new Uint8Array(INPUT_SIZE),
    h2: makeH2Memory(buffers, held),
    portions: new Portions(network),
    rounds: new Rounds(network),
    parts: new PartsPool(),
    blocks,
  };
}

/**
 * Lists of (offset, length) parts of the input buffer. A stream needs one between the first DATA of a pass and the end
 * of the pass only, so a few serve all streams.
 */
export class PartsPool {
  readonly #free: Int32Array[] = [];

  borrow(): Int32Array {
    return this.#free.pop() ?? new Int32Array(2 * MAX_PARTS);
  }

  giveBack(parts: Int32Array): void {
    if (this.#free.length < MAX_FREE_LISTS) this.#free.push(parts);
  }
}

/**
 * Blocks of {@link BLOCK} bytes for what a slow reader has not taken yet. Each made anew would be a megabyte of garbage
 * every few milliseconds, which the engine counts too late: it was 20 MB of a proxy under bulk.
 */
export class BlockPool {
  readonly #free = new FreeList();
  readonly #onSurplus: () => void;

  constructor(onSurplus: () => void = () => {}) {
    this.#onSurplus = onSurplus;
  }

  borrow(): Uint8Array {
    return this.#free.take() ?? new Uint8Array(BLOCK);
  }

  giveBack(block: Uint8Array): void {
    this.#free.put(block as Uint8Array<ArrayBuffer>);
    if (this.#free.length > KEPT_BLOCKS) this.#onSurplus();
  }

  /** Frees what was not used since the last call. False: the rest is worth keeping. */
  trim(): boolean {
    this.#free.dropUnused(Math.max(0, this.#free.length - KEPT_BLOCKS), (block) => discard(block.buffer));
    return this.#free.length > KEPT_BLOCKS;
  }

  /** Blocks waiting to be lent. */
  get freeCount(): number {
    return this.#free.length;
  }
}
