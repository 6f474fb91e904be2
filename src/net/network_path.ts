/** Measurements of the network path of a stream, and the limit of unsent bytes in its socket. */
import * as c from "../os/constants.ts";
import { setOption } from "../os/socket.ts";
import { tcpInfo } from "../os/tcp_info.ts";
import type { Millis } from "./network.ts";

export interface PathMeasure {
  /** The smallest round-trip time seen lately. */
  readonly roundTrip: Millis;
  /** Bytes per ms that reached the peer when we last sent without a pause; 0 before that. */
  readonly deliveryRate: number;
}

export interface NetworkPath {
  /** Null where the system does not report it. Costs one system call. */
  measure(): PathMeasure | null;
  /** From now on the stream takes more only while fewer than `bytes` in it have not been sent yet. */
  limitUnsent(bytes: number): void;
}

/** The path of a TCP socket, whose descriptor remains its owner's. */
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
