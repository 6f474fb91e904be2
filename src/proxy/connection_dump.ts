/** A pod's live connections as `/config_dump` shows them (`docs/spec/dataplane.md` 5.2), in pages. */
import { formatAddress } from "../net/address.ts";
import type { Connections, LiveConnection } from "./connections.ts";
import type { FlowPosition } from "./flow_list.ts";
import type { Phase } from "../telemetry/connection_ending.ts";

/** One entry. Addresses are `ip:port`, times ms. The Rust ztunnel has the first four. */
export interface DumpedConnection {
  readonly src: string;
  /** Inbound: the service that the client named; null: none. Outbound: the address that it connected to. */
  readonly originalDst: string | null;
  readonly actualDst: string;
  readonly protocol: "TCP" | "HBONE" | "DOUBLEHBONE";
  /** One side has sent its end. Absent: not so. */
  readonly halfClosed?: true;
  /** The trace id. */
  readonly id: string;
  /** The hostname of the service; null: none. */
  readonly service: string | null;
  /** Where an outbound connection leads; null: it is inbound. */
  readonly route: "destination" | "waypoint" | "gateway" | "outside" | null;
  /** The id of the decision that admitted an inbound connection, or of the last one about an outbound connection. */
  readonly decision: string | null;
  /** The identity of an inbound connection's client; null: none, or it is outbound. */
  readonly identity: string | null;
  readonly tls: { readonly version: string; readonly group: string } | null;
  readonly state: Phase;
  readonly age: number;
  /** Since a byte was moved; null: none was. */
  readonly idle: number | null;
  /** The number of the HBONE connection that carries it. */
  readonly carrier: number | null;
}

/** Which connections of a pod. */
export type DumpDirection = "inbound" | "outbound";

/** A place among the connections of a pod. */
export type DumpPlace = Omit<FlowPosition, "pod">;

/** Some connections of a pod. */
export interface DumpedPage {
  readonly entries: readonly DumpedConnection[];
  /** Where the next page begins; null: this is the last one. */
  readonly next: DumpPlace | null;
}

/** Entries of one page: made and sent in about 3 ms. */
export const PAGE_MAX = 250;

/** The connections of one direction behind `after`. Those that open or end between two pages may be missing. */
export function dumpConnections(
  all: readonly Pick<Connections, "present" | "has">[],
  direction: DumpDirection,
  after: DumpPlace | null,
): DumpedPage {
  const entries: DumpedConnection[] = [];
  for (const [component, connections] of all.entries()) {
    if (after !== null && component < after.component) continue;
    const behind = after?.component === component ? after.registration : 0;
    for (const connection of connections.present()) {
      const { registration } = connection;
      if (registration <= behind || !connections.has(connection)) continue;
      const entry = direction === "inbound" ? inboundEntry(connection) : outboundEntry(connection);
      if (entry === null) continue;
      entries.push(entry);
      if (entries.length === PAGE_MAX) return { entries, next: { component, registration } };
    }
  }
  return { entries, next: null };
}

function inboundEntry(connection: LiveConnection): DumpedConnection | null {
  const { call, forwardedHost } = connection;
  return call === null ? null : {
    src: formatAddress(call.source),
    originalDst: forwardedHost,
    actualDst: formatAddress(call.target),
    protocol: call.identity === null ? "TCP" : "HBONE",
    route: null,
    identity: call.identity,
    ...stateOf(connection),
  };
}

function outboundEntry(connection: LiveConnection): DumpedConnection | null {
  const { way } = connection;
  return way === null ? null : {
    src: formatAddress(way.source),
    originalDst: formatAddress(way.original),
    actualDst: formatAddress(way.actual),
    protocol: way.protocol,
    route: way.leadsTo,
    identity: null,
    ...stateOf(connection),
  };
}

function stateOf({ isHalfClosed, flow }: LiveConnection) {
  return {
    ...(isHalfClosed ? { halfClosed: true as const } : {}),
    id: flow?.id ?? "",
    service: flow?.service ?? null,
    decision: flow?.decision ?? null,
    tls: flow?.tls ?? null,
    state: flow?.state ?? "open",
    age: flow?.age ?? 0,
    idle: flow?.idle ?? null,
    carrier: flow?.carrier ?? null,
  };
}
