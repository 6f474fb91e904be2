/** The phases of a connection and who ended it, as tables and logs show them. `pod_connection.ts` moves through them. */

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
