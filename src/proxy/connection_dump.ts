/** A pod's live connections as `/config_dump` shows them (`docs/spec/dataplane.md` 5.2). */
import { formatAddress } from "../net/address.ts";
import type { Connections, LiveCall, OutboundWay } from "./connections.ts";

/** One entry. Addresses are `ip:port`. */
interface DumpedConnection {
  readonly src: string;
  /** Inbound: the service that the client named; null: none. Outbound: the address that it connected to. */
  readonly originalDst: string | null;
  readonly actualDst: string;
  readonly protocol: "TCP" | "HBONE" | "DOUBLEHBONE";
}

/** The connections of one pod. */
export interface DumpedConnections {
  readonly inbound: readonly DumpedConnection[];
  readonly outbound: readonly DumpedConnection[];
}

/** The connections of all listeners of a pod. Streams of one peer's connection to the same address are one entry. */
export function dumpConnections(all: readonly Connections[]): DumpedConnections {
  const inbound = new Map<string, DumpedConnection>();
  const outbound: DumpedConnection[] = [];
  for (const connections of all) {
    for (const connection of connections.inbound()) {
      const entry = inboundEntry(connection);
      inbound.set(`${entry.src} ${entry.actualDst} ${entry.protocol} ${entry.originalDst ?? ""}`, entry);
    }
    for (const way of connections.outbound()) outbound.push(outboundEntry(way));
  }
  return { inbound: [...inbound.values()], outbound };
}

function inboundEntry({ call, forwardedHost }: LiveCall): DumpedConnection {
  return {
    src: formatAddress(call.source),
    originalDst: forwardedHost,
    actualDst: formatAddress(call.target),
    protocol: call.identity === null ? "TCP" : "HBONE",
  };
}

function outboundEntry({ source, original, actual, protocol }: OutboundWay): DumpedConnection {
  return {
    src: formatAddress(source),
    originalDst: formatAddress(original),
    actualDst: formatAddress(actual),
    protocol,
  };
}
