import type { Millis } from "../net/clock.ts";
import type { Ip } from "../net/address.ts";
import type { ClientConnection, ClientSettings } from "./client_connection.ts";

/** Settings of a pool and of the connections that it makes. */
export interface PoolSettings extends ClientSettings {
  /** Streams that one connection carries at most. */
  readonly maxStreamsPerConnection: number;
  /** A connection without streams is closed after this time. */
  readonly unusedReleaseTimeout: Millis;
  /** For the peer to answer a CONNECT. */
  readonly responseTimeout: Millis;
  /**
   * Calls `onLost` once when the workload `uid` is removed or `ip` is no longer its address. The returned function ends
   * the watch.
   */
  watchDestination(uid: string, ip: Ip, onLost: () => void): () => void;
  /** Called for each connection that has opened; its `tls` and `peerId` say what was negotiated with whom. */
  readonly onConnected?: (connection: ClientConnection) => void;
}
