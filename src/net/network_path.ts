/** What is known of the way between the two ends of a stream, and how much may wait at its beginning. */
import * as c from "../os/constants.ts";
import { setOption } from "../os/socket.ts";
import { tcpInfo } from "../os/tcp_info.ts";
import type { Millis } from "./network.ts";

export interface PathMeasure {
  /** The smallest seen lately. */
  readonly roundTrip: Millis;
  /** Bytes per ms that reached the peer when we last sent without a pause; 0 before that. */
  readonly deliveryRate: number;
}

export interface NetworkPath {
  /** Null where the system does not say. One system call. */
  measure(): PathMeasure | null;
  /** From now on the stream takes more only while fewer than `bytes` wait in it to be sent for the first time. */
  limitUnsent(bytes: number): void;
}

/** The way of a TCP socket, whose descriptor stays its owner's. */
export class TcpPath implements NetworkPath {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  measure(): PathMeasure | null {
    const info = tcpInfo(this.#fd);
    return info && { roundTrip: info.roundTrip / 1000, deliveryRate: info.deliveryRate / 1000 };
  }

  limitUnsent(bytes: number): void {
    setOption(this.#fd, c.SOL_TCP, c.TCP_NOTSENT_LOWAT, bytes);
  }
}
