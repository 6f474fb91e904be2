/** What the kernel has measured on a TCP connection: `struct tcp_info` of `linux/tcp.h`, the fields used here. */
import * as c from "./constants.ts";
import { intCell, libc } from "./libc.ts";

/** Up to and with `tcpi_delivery_rate`, of Linux 4.9. */
const LENGTH = 168;
const SMOOTHED_ROUND_TRIP = 68, SMALLEST_ROUND_TRIP = 148, DELIVERY_RATE = 160;

export interface TcpInfo {
  /** Microseconds; the smallest that was seen lately, so without what waits in queues. */
  readonly roundTrip: number;
  /** Bytes per second that reached the peer when we last sent without a pause. */
  readonly deliveryRate: number;
}

const bytes = new Uint8Array(LENGTH);
const view = new DataView(bytes.buffer);
const length = intCell();

/** Null where the kernel tells less, or it is no TCP socket. One system call. */
export function tcpInfo(fd: number): TcpInfo | null {
  length.value = LENGTH;
  if (libc.getsockopt(fd, c.SOL_TCP, c.TCP_INFO, bytes, length.bytes) !== 0 || length.value < LENGTH) return null;
  const smallest = view.getUint32(SMALLEST_ROUND_TRIP, true);
  return {
    // The kernel says 2^32-1 before it has measured.
    roundTrip: smallest === 0xffffffff ? view.getUint32(SMOOTHED_ROUND_TRIP, true) : smallest,
    deliveryRate: Number(view.getBigUint64(DELIVERY_RATE, true)),
  };
}
