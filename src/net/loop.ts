/** What all connections of one event loop share: the network, and large buffers that each needs for a short time. */
import { BlockPool } from "./block_pool.ts";
import type { Network } from "./network.ts";
import { PartsPool } from "./parts_pool.ts";
import { Portions } from "./portions.ts";
import { Rounds } from "./rounds.ts";
import { type OnSurplus, Surplus } from "./surplus.ts";

/** Bytes of {@link Loop.input}. */
const INPUT_SIZE = 262_144;

/** Made by {@link makeLoop}, once for each event loop. */
export interface Loop {
  readonly network: Network;
  /** Returns numbers in [0, 1). It spreads periodic work of connections over time. */
  readonly random: () => number;
  /** For the bytes of one read. Its content is valid until the reader's turn ends. */
  readonly input: Uint8Array;
  readonly portions: Portions;
  /** For connections whose bytes are more work than fits into one turn. */
  readonly rounds: Rounds;
  readonly parts: PartsPool;
  readonly blocks: BlockPool;
  /** For pools that others add to the loop. */
  readonly surplus: Surplus;
}

/** `onSurplus`: see {@link OnSurplus}. `random`: see {@link Loop.random}; the default always returns 0.5. */
export function makeLoop(
  network: Network,
  onSurplus: OnSurplus = () => {},
  random: () => number = () => 0.5,
): Loop {
  const surplus = new Surplus(onSurplus);
  const blocks = new BlockPool(() => surplus.report());
  surplus.add(blocks);
  return {
    network,
    random,
    input: new Uint8Array(INPUT_SIZE),
    portions: new Portions(network),
    rounds: new Rounds(network),
    parts: new PartsPool(),
    blocks,
    surplus,
  };
}
