/**
 * How a connection has ended, as data: the access log renders it, tables and events show it (`docs/spec/dataplane.md` 8.7
 * lists the endings).
 */

import type { SocketAddress } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";

/** The phases of a connection. `proxy/pod_connection.ts` moves through them. */
export type Phase =
  | "accepted"
  /** Waits for the pod's workload, for a name, or for resources that the mesh does not have yet. */
  | "resolving"
  /** Policies are evaluated. */
  | "authorizing"
  /** A TCP connection is being made, or waited for where the pool makes it. */
  | "connecting"
  /** TLS between this proxy and its peer. */
  | "handshaking"
  /** A CONNECT was sent and not answered. */
  | "requesting"
  /** Bytes flow both ways. On a peer's own connection: requests are taken. */
  | "open"
  /** One side has sent its end; the other one may go on. */
  | "half-closed"
  | "ended";

/**
 * Who ended a connection. `client` is the application that opened it, `server` the one that was called, also where they
 * are behind a peer's proxy that passed on how they ended. `peer` is that proxy itself. `us` is this proxy.
 *
 * A connection that ended cleanly was ended by the side that sent its end first.
 */
export type EndedBy = "client" | "server" | "peer" | "us";

/** How a connection was ended. Those behind `error` are decisions of this proxy. */
export type EndedHow =
  /** Both sides have sent their end. */
  | "fin"
  /** TCP RST, or RST_STREAM of the peer. */
  | "rst"
  /** The peer's HTTP/2 connection takes no more requests, or has ended with GOAWAY. */
  | "goaway"
  /** A dial was answered by RST: nobody listens. */
  | "refused"
  /** The peer has answered the CONNECT with a status other than 200. */
  | "status"
  /** The TLS handshake failed. */
  | "tls"
  /** Also the system's time limits of TCP, and unanswered PINGs. */
  | "timeout"
  /** The connection broke in another way; the message in the log says how. */
  | "error"
  /** A policy does not allow it, or no longer does. */
  | "policy"
  /** A certificate was revoked or withdrawn. */
  | "revocation"
  | "drain"
  /** One side had ended, and nothing was moved for too long. */
  | "half-closed timeout"
  /** The mesh does not say where it leads, or forbids to go there. */
  | "no route"
  /** There is no certificate of this workload. */
  | "identity"
  /** The mesh has taken the address from the destination. */
  | "destination lost"
  /** Too much of something; the message in the log says of what. */
  | "limit";

/** Who ended a connection, and how. */
export interface EndingCause {
  readonly by: EndedBy;
  readonly how: EndedHow;
  /** The id of this proxy's decision to end it, where `how` does not say which one it was. */
  readonly decision?: string;
}

/** The same with the phase that it was in. */
export interface ConnectionEnding extends Pick<EndingCause, "by" | "how"> {
  readonly phase: Exclude<Phase, "ended">;
}

/** When a connection had passed its phases, in whole ms since it was accepted. Null: not yet, or there is no such phase. */
export interface PhaseTimes {
  /** Its destination was known. */
  readonly resolved: number | null;
  readonly authorized: number | null;
  /** TCP was connected; 0 where a connection of the pool was. */
  readonly connected: number | null;
  /** TLS was secured, 0 as above. */
  readonly handshaken: number | null;
  /** The CONNECT was answered by 200. */
  readonly answered: number | null;
}

/** When the first bytes were passed on, in whole ms since the connection was accepted. Null: none was. */
export interface FirstBytes {
  readonly clientByte: number | null;
  readonly serverByte: number | null;
}

/** What a policy in dry run would have decided; null: no allow policy would have matched. */
interface DryRunFact {
  readonly policy: string | null;
  /** The id of the decision. */
  readonly id: string;
  readonly text: string;
}

/** What tables and the extended access log show about a connection besides its two sides. Read when needed. */
export interface ConnectionFacts {
  /** The trace id: 32 hexadecimal digits. */
  readonly id: string;
  /** The header value between the proxies: that of the caller's proxy, or one that was made here. */
  readonly traceparent: string;
  /** The caller's proxy has sent {@link traceparent}. */
  readonly continuesTrace: boolean;
  /** The session that carries it; null: none. */
  readonly tls: { readonly version: string; readonly group: string } | null;
  /** Number of the HBONE connection that carries it, unique in its worker; null: none. */
  readonly carrier: number | null;
  /** Number of attempts to reach an endpoint. 0: its route was not known. */
  readonly attempt: number;
  readonly times: PhaseTimes;
  /** The address that the client connected to. */
  readonly original: SocketAddress;
  /** The id of the last decision of this proxy about it; null: none. */
  readonly decision: string | null;
  /** When it was accepted, by the clock of the network. */
  readonly startedAt: Millis;
  /** What policies in dry run would have decided. */
  readonly dryRuns: readonly DryRunFact[];
}
