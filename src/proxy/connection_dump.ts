/** A pod's live connections as `/config_dump` shows them (`docs/spec/dataplane.md` 5.2). */
import { formatAddress } from "../net/address.ts";
import type { Connections, LiveCall, LiveOutbound } from "./connections.ts";

/** One entry. Addresses are `ip:port`. */
interface DumpedConnection {
  readonly src: string;
  /** Inbound: the service that the client named; null: none. Outbound: the address that it connected to. */
  readonly originalDst: string | null;
  readonly actualDst: string;
  readonly protocol: "TCP" | "HBONE" | "DOUBLEHBONE";
  /** One side has sent its end. Absent: not so. The Rust ztunnel does not have it. */
  readonly halfClosed?: true;
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
      const state = entry.halfClosed === true ? "half-closed" : "";
      inbound.set(`${entry.src} ${entry.actualDst} ${entry.protocol} ${state} ${entry.originalDst ?? ""}`, entry);
    }
    for (const connection of connections.outbound()) outbound.push(outboundEntry(connection));
  }
  return { inbound: [...inbound.values()], outbound };
}

function inboundEntry({ call, forwardedHost, isHalfClosed }: LiveCall): DumpedConnection {
  return {
    src: formatAddress(call.source),
    originalDst: forwardedHost,
    actualDst: formatAddress(call.target),
    protocol: call.identity === null ? "TCP" : "HBONE",
    ...stateOf(isHalfClosed),
  };
}

function outboundEntry({ way, isHalfClosed }: LiveOutbound): DumpedConnection {
  const { source, original, actual, protocol } = way;
  return {
    src: formatAddress(source),
    originalDst: formatAddress(original),
    actualDst: formatAddress(actual),
    protocol,
    ...stateOf(isHalfClosed),
  };
}

function stateOf(isHalfClosed: boolean): { halfClosed?: true } {
  return isHalfClosed ? { halfClosed: true } : {};
}
