import { LOOPBACK_V4, LOOPBACK_V6, parseSocketAddress } from "./address.ts";
import { seededChunks } from "./memory_duplex.ts";
import { MemoryNetwork, type MemoryNetworkOptions } from "./memory_network.ts";
import { networkContract } from "./network_contract.ts";
import type { Rig } from "./network_contract_kit.ts";

function rig(options: MemoryNetworkOptions, loopback = LOOPBACK_V4): () => Promise<Rig> {
  return () => {
    const network = new MemoryNetwork(options);
    const blackhole = parseSocketAddress("192.0.2.1:80")!;
    network.blackhole(blackhole);
    const run = (until: () => boolean) => network.run(until);
    return Promise.resolve({ network, run, close: () => Promise.resolve(), loopback, blackhole });
  };
}

networkContract("memory", rig({}));
networkContract("memory with small buffers and random reads", rig({ bufferBytes: 5000, chunking: seededChunks(7) }));
networkContract("memory over IPv6", rig({}, LOOPBACK_V6));
