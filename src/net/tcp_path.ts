/** The path of a TCP socket. */
import * as c from "../os/constants.ts";
import { setOption } from "../os/socket.ts";
import { tcpInfo } from "../os/tcp_info.ts";
import type { NetworkPath, PathMeasure, SegmentCounts } from "./network_path.ts";

/** Uses the socket's descriptor, which its stream owns. */
export class TcpPath implements NetworkPath {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  measure(): PathMeasure | null {
    const info = tcpInfo(this.#fd);
    return info && { roundTrip: info.roundTrip / 1000, deliveryRate: info.deliveryRate / 1000 };
  }

  countSegments(): SegmentCounts | null {
    return tcpInfo(this.#fd);
  }

  limitUnsent(bytes: number): void {
    setOption(this.#fd, c.SOL_TCP, c.TCP_NOTSENT_LOWAT, bytes);
  }
}
