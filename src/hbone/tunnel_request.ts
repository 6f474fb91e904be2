/** What a caller asks the pool for: a tunnel, or a tunnel inside a tunnel. */
import type { HeaderList } from "../h2/seam.ts";
import type { SpiffeId } from "../identity/spiffe_id.ts";
import type { Ip } from "../net/address.ts";
import type { Millis } from "../net/clock.ts";
import type { Peer } from "./client_connection.ts";

/** One CONNECT. Requests with equal fields other than `headers` may share a connection. */
export interface TunnelRequest {
  /** The identity whose certificate we present. */
  readonly source: SpiffeId;
  readonly sourceIp: Ip;
  /** Uid of the workload at the other end. */
  readonly destination: string;
  readonly peer: Peer;
  /** Of the CONNECT. */
  readonly headers: HeaderList;
  /**
   * ms in which there must be a connection for the request, handshake included; not counted while our own certificate is
   * awaited. Null: the limits of the connection itself.
   */
  readonly connectTimeout: Millis | null;
  /**
   * The caller can use another endpoint: the request fails where it would wait because connections to this peer fail,
   * where a dial for another request has had no answer for 1.5 s, or where the peer has vanished.
   */
  readonly hasAlternatives: boolean;
}

/** A CONNECT to a workload of another network, through the gateway of that network. */
export interface NestedRequest {
  /** The tunnel to the gateway. */
  readonly outer: TunnelRequest;
  /** Identities that may answer behind the gateway; empty: none, so the request fails. */
  readonly expected: readonly SpiffeId[];
  /** Of the inner CONNECT. */
  readonly headers: HeaderList;
  /** Name of the service that is called, for the log. */
  readonly service: string;
}
