import type { H2Failure } from "../h2/seam.ts";
import type { Millis } from "../net/clock.ts";
import type { Ip } from "../net/address.ts";
import type { ClientConnection, ClientSettings } from "./client_connection.ts";
import type { TunnelFailure } from "./failure.ts";

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
  readonly observer?: PoolObserver;
}

/** Is notified of the life of each connection; for the log. */
export interface PoolObserver {
  connecting(connection: ClientConnection): void;
  /** Its `tls` and `peerId` say what was negotiated with whom. */
  connected(connection: ClientConnection): void;
  /** It could not be made, or ended before the peer's SETTINGS. */
  failed(connection: ClientConnection, failure: TunnelFailure): void;
  ended(connection: ClientConnection, failure: H2Failure): void;
}
