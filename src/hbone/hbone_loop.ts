/** What all connections of one event loop share, with the memory of HTTP/2 connections. */
import { BufferPool } from "../h2/buffer_pool.ts";
import { HeldBytes } from "../h2/held_bytes.ts";
import { type H2Memory, makeH2Memory } from "../h2/memory.ts";
import { ExtraConnections } from "./extra_connections.ts";
import { type Loop, makeLoop } from "../net/loop.ts";
import type { Network } from "../net/network.ts";
import type { OnSurplus } from "../net/surplus.ts";
import { discard } from "../os/memory.ts";

/** Made by {@link makeHboneLoop}, once for each event loop. */
export interface HboneLoop extends Loop {
  readonly h2: H2Memory;
  /** Numbers for HBONE connections of either role: 1, 2, ... */
  nextConnectionNumber(): number;
  readonly extraConnections: ExtraConnections;
}

/** As {@link makeLoop}. `held`: the bound on bytes that applications have not read; none by default. */
export function makeHboneLoop(
  network: Network,
  onSurplus?: OnSurplus,
  random?: () => number,
  held = new HeldBytes(Infinity),
): HboneLoop {
  const loop = makeLoop(network, onSurplus, random);
  const onCrowded = () => network.endTurnSoon();
  const buffers = new BufferPool({ onCrowded, onSurplus: () => loop.surplus.report(), discard });
  loop.surplus.add(buffers);
  let connections = 0;
  return {
    ...loop,
    h2: makeH2Memory(buffers, held),
    nextConnectionNumber: () => ++connections,
    extraConnections: new ExtraConnections(),
  };
}
