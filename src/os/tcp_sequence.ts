/** Sequence numbers of a TCP connection, by TCP_REPAIR of tcp(7). */
import * as c from "./constants.ts";
import { LIBC } from "./libc.ts";
import { openRarely } from "./rare_functions.ts";
import { getOption, setOption } from "./socket.ts";

const TCP_REPAIR = 19, TCP_REPAIR_QUEUE = 20, TCP_QUEUE_SEQ = 21;
const RECEIVE_QUEUE = 1, SEND_QUEUE = 2;
/** Of linux/sockios.h: bytes that are not acknowledged, and those of them that were never sent. */
const SIOCOUTQ = 0x5411n, SIOCOUTQNSD = 0x894bn;

const symbols = openRarely(LIBC, { ioctl: { parameters: ["i32", "u64", "buffer"], result: "i32" } });

/** Sequence numbers, modulo 2^32. */
export interface TcpSequence {
  /** The first byte that the peer has not acknowledged. */
  readonly unacknowledged: number;
  /** The first byte that was never sent. */
  readonly next: number;
  /** The first byte that the peer has not sent, or that has not arrived. */
  readonly expected: number;
}

/**
 * Reads the sequence numbers of a connected socket, or of one whose connection has failed. Afterwards the socket is only
 * good for being closed, which sends nothing any more. Null: the kernel refuses (no CAP_NET_ADMIN).
 */
export function takeTcpSequence(fd: number): TcpSequence | null {
  if (!setOption(fd, c.SOL_TCP, TCP_REPAIR, 1)) return null;
  const end = queueSequence(fd, SEND_QUEUE), expected = queueSequence(fd, RECEIVE_QUEUE);
  const unacknowledged = queued(fd, SIOCOUTQ), unsent = queued(fd, SIOCOUTQNSD);
  if (end === null || expected === null || unacknowledged === null || unsent === null) return null;
  return { unacknowledged: (end - unacknowledged) >>> 0, next: (end - unsent) >>> 0, expected: expected >>> 0 };
}

function queueSequence(fd: number, queue: number): number | null {
  return setOption(fd, c.SOL_TCP, TCP_REPAIR_QUEUE, queue) ? getOption(fd, c.SOL_TCP, TCP_QUEUE_SEQ) : null;
}

function queued(fd: number, request: bigint): number | null {
  const count = new Int32Array(1);
  return symbols.ioctl(fd, request, new Uint8Array(count.buffer)) === 0 ? count[0]! : null;
}
