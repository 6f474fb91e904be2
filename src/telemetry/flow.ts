/**
 * A connection as `/connections`, `/observe` and the dashboard show it: plain data, made when somebody looks
 * (`flow_json.ts`).
 *
 * Directions of bytes are those of the access log: sent by the application on this side, and received by it.
 */
import type { SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { ConnectionEnding, ConnectionFacts, FirstBytes, Phase, PhaseTimes } from "./connection_ending.ts";
import type { ResponseFlag } from "./response_flags.ts";
import type { TrafficSides } from "./traffic_labels.ts";

/** One side of a flow. Null: not known. */
interface FlowParty {
  /** `ip:port` */
  readonly address: string;
  readonly workload: string | null;
  readonly namespace: string | null;
  /** Proven by a certificate. */
  readonly identity: string | null;
}

/** When a flow had passed its phases, and when its first bytes moved. */
type FlowTimes = PhaseTimes & FirstBytes;

/** `failed` includes connections that a drain has cut. */
export type FlowVerdict = "ok" | "denied" | "failed";

/** `refused`: it ended before it was routed. */
export type FlowEventKind = "opened" | "refused" | "ended";

/** A connection, open or ended. Times are ms. */
export interface Flow {
  /** The trace id, the same at both proxies. */
  readonly id: string;
  readonly direction: "outbound" | "inbound";
  readonly state: Phase;
  readonly verdict: FlowVerdict;
  readonly source: FlowParty;
  /** Outbound: the address that was dialled. Inbound: the pod's own. */
  readonly destination: FlowParty;
  /** What the client asked for: its original destination, or the authority of the CONNECT. */
  readonly target: string;
  readonly service: string | null;
  readonly protocol: "TCP" | "HBONE";
  readonly tls: ConnectionFacts["tls"];
  /** The number of the HBONE connection that carries it. */
  readonly carrier: number | null;
  /** Which endpoint of a service this is, from 1: the ones before it could not be reached. */
  readonly attempt: number;
  /** The id of the last decision of this proxy about it, for `ztunnel explain`; null: none. */
  readonly decision: string | null;
  readonly dryRuns: ConnectionFacts["dryRuns"];
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** Since it was accepted; of one that has ended, until then. */
  readonly age: number;
  /** Since a byte was moved last; null where none was, and at the end. */
  readonly idle: number | null;
  readonly times: FlowTimes;
  /** Null: it is open. */
  readonly ending: ConnectionEnding | null;
  /** Of metrics. */
  readonly flag: ResponseFlag | null;
  /** The text of the access log; null: none. */
  readonly error: string | null;
}

/** A flow at one moment. */
export interface FlowEvent extends Flow {
  readonly event: FlowEventKind;
  /** ISO 8601, UTC. */
  readonly time: string;
  /** Of events that are followed: the proxy's span in the connection's trace. */
  readonly span?: FlowSpan;
}

/** A span of a trace. */
interface FlowSpan {
  /** 16 hexadecimal digits. Null: it has none yet; the one who exports it chooses it. */
  readonly id: string | null;
  /** The span of the caller's proxy; null: the trace begins here. */
  readonly parent: string | null;
  /** Whether the `traceparent` between the proxies is flagged as sampled. */
  readonly sampled: boolean;
}

/** What flows are made of. It refers to nothing that belongs to the connection alone and is large. */
export interface FlowParts {
  readonly direction: "outbound" | "inbound";
  readonly state: Phase;
  readonly source: SocketAddress;
  readonly destination: SocketAddress;
  readonly target: SocketAddress | string;
  /** Null: the connection was not routed. */
  readonly sides: TrafficSides | null;
  readonly mutualTls: boolean;
  readonly service: string | null;
  readonly isHbone: boolean;
  readonly id: string;
  /** Null: not known any more. */
  readonly traceparent: string | null;
  readonly continuesTrace: boolean;
  readonly tls: ConnectionFacts["tls"];
  readonly carrier: number | null;
  readonly attempt: number;
  readonly decision: string | null;
  readonly dryRuns: ConnectionFacts["dryRuns"];
  readonly times: FlowTimes;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly age: number;
  readonly idle: number | null;
  readonly ending: ConnectionEnding | null;
  readonly flag: ResponseFlag | null;
  readonly error: string | null;
}

/** A TLS session without what belongs to the connection alone. */
export function flowTls(tls: ConnectionFacts["tls"]): FlowParts["tls"] {
  return tls === null ? null : { version: tls.version, group: tls.group };
}

/** Both kinds of times. */
export function flowTimes(times: PhaseTimes, { clientByte, serverByte }: FirstBytes): FlowParts["times"] {
  const { resolved, authorized, connected, handshaken, answered } = times;
  return { resolved, authorized, connected, handshaken, answered, clientByte, serverByte };
}

/** Whole ms from `since` to `now`. */
export function elapsed(since: Millis, now: Millis): number {
  return Math.max(0, Math.floor(now - since));
}

const NO_BYTES: FirstBytes = { clientByte: null, serverByte: null };

/** A connection whose route is not known. */
export function flowBeforeRoute(
  { direction, state, source, startedAt, facts }: {
    readonly direction: FlowParts["direction"];
    readonly state: Phase;
    readonly source: SocketAddress;
    readonly startedAt: Millis;
    readonly facts: ConnectionFacts;
  },
  now: Millis,
): FlowParts {
  return {
    direction,
    state,
    source,
    destination: facts.original,
    target: facts.original,
    sides: null,
    mutualTls: false,
    service: null,
    isHbone: false,
    id: facts.id,
    traceparent: facts.traceparent,
    continuesTrace: facts.continuesTrace,
    tls: flowTls(facts.tls),
    carrier: facts.carrier,
    attempt: facts.attempt,
    decision: facts.decision,
    dryRuns: facts.dryRuns,
    times: flowTimes(facts.times, NO_BYTES),
    bytesSent: 0,
    bytesReceived: 0,
    age: elapsed(startedAt, now),
    idle: null,
    ending: null,
    flag: null,
    error: null,
  };
}

/** What became of a flow so far. */
export function verdictOf({ ending, error }: Pick<FlowParts, "ending" | "error">): FlowVerdict {
  if (ending === null || error === null) return "ok";
  return ending.how === "policy" ? "denied" : "failed";
}
