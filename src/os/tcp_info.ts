/** What the kernel has measured on a TCP connection: `struct tcp_info` of `linux/tcp.h`, the fields used here. */
import * as c from "./constants.ts";
import { intCell, libc } from "./libc.ts";

/** Up to and including `tcpi_delivery_rate`, of Linux 4.9. */
const LEAST_LENGTH = 168;
/** Up to and including `tcpi_rcv_ooopack`, of Linux 5.4. */
const LENGTH = 228;
const UNACKNOWLEDGED = 24,
  SMOOTHED_ROUND_TRIP = 68,
  RETRANSMITTED = 100,
  SMALLEST_ROUND_TRIP = 148,
  RECEIVED = 152,
  SENT = 156;
const DELIVERY_RATE = 160, OUT_OF_ORDER = 224;

/** Measurements of one connection. */
interface TcpInfo {
  /** The smallest round trip of the last minutes, so without the time in queues, in microseconds. */
  readonly roundTrip: number;
  /** Bytes per second that reached the peer when we last sent without a pause. */
  readonly deliveryRate: number;
  /** Segments with data that were sent, those sent again included. The counters wrap at 2^32. */
  readonly sent: number;
  readonly retransmitted: number;
  /** Segments that were sent and not acknowledged yet. */
  readonly unacknowledged: number;
  /** Segments with data that were received. */
  readonly received: number;
  /** Of {@link received}, those that arrived while an earlier one was missing; 0 before Linux 5.4. */
  readonly outOfOrder: number;
}

const bytes = new Uint8Array(LENGTH);
const view = new DataView(bytes.buffer);
const length = intCell();

/** Reads them with one system call. Null: the kernel reports less, or the descriptor is not a TCP socket. */
export function tcpInfo(fd: number): TcpInfo | null {
  length.value = LENGTH;
  if (libc.getsockopt(fd, c.SOL_TCP, c.TCP_INFO, bytes, length.bytes) !== 0 || length.value < LEAST_LENGTH) return null;
  const smallest = view.getUint32(SMALLEST_ROUND_TRIP, true);
  return {
    // The kernel reports 2^32-1 before it has measured.
    roundTrip: smallest === 0xffffffff ? view.getUint32(SMOOTHED_ROUND_TRIP, true) : smallest,
    deliveryRate: Number(view.getBigUint64(DELIVERY_RATE, true)),
    sent: view.getUint32(SENT, true),
    retransmitted: view.getUint32(RETRANSMITTED, true),
    unacknowledged: view.getUint32(UNACKNOWLEDGED, true),
    received: view.getUint32(RECEIVED, true),
    outOfOrder: length.value < LENGTH ? 0 : view.getUint32(OUT_OF_ORDER, true),
  };
}
