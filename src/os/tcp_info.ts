/** What the kernel has measured on a TCP connection: `struct tcp_info` of `linux/tcp.h`, the fields used here. */
import * as c from "./constants.ts";
import { intCell, libc } from "./libc.ts";

/** Up to and including `tcpi_delivery_rate`, of Linux 4.9. */
const LENGTH = 168;
const SMOOTHED_ROUND_TRIP = 68, SMALLEST_ROUND_TRIP = 148, DELIVERY_RATE = 160;

/** Measurements of one connection. */
interface TcpInfo {
  /** The smallest round trip of the last minutes, so without the time in queues, in microseconds. */
  readonly roundTrip: number;
  /** Bytes per second that reached the peer when we last sent without a pause. */
  readonly deliveryRate: number;
}

const bytes = new Uint8Array(LENGTH);
const view = new DataView(bytes.buffer);
const length = intCell();

/** Reads them with one system call. Null: the kernel reports less, or the descriptor is not a TCP socket. */
export function tcpInfo(fd: number): TcpInfo | null {
  length.value = LENGTH;
  if (libc.getsockopt(fd, c.SOL_TCP, c.TCP_INFO, bytes, length.bytes) !== 0 || length.value < LENGTH) return null;
  const smallest = view.getUint32(SMALLEST_ROUND_TRIP, true);
  return {
    // The kernel reports 2^32-1 before it has measured.
    roundTrip: smallest === 0xffffffff ? view.getUint32(SMOOTHED_ROUND_TRIP, true) : smallest,
    deliveryRate: Number(view.getBigUint64(DELIVERY_RATE, true)),
  };
}
