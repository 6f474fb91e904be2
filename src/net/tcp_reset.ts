/** Resets the connection of a peer on another machine by packets that we make ourselves (RFC 9293 3.5.2). */
import * as c from "../os/constants.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import { sendTo } from "../os/socket.ts";
import type { TcpSequence } from "../os/tcp_sequence.ts";
import type { SocketAddress } from "./address.ts";
import type { SocketOptions } from "./network.ts";
import { encodeSockaddr, familyOf } from "./sockaddr.ts";
import { makeSocket } from "./socket_options.ts";

const IPPROTO_TCP = 6;
const RST = 0x04, ACK = 0x10;
/** Length of a header without options, and the offset of its checksum. */
const LENGTH = 20, CHECKSUM = 16;

/** Sends packets from `from`, an address of the namespace, to `to`. Returns 0 or an errno: EPERM without CAP_NET_RAW. */
export function sendResets(
  from: SocketAddress,
  to: SocketAddress,
  { unacknowledged, next, expected }: TcpSequence,
  options: Pick<SocketOptions, "namespace" | "mark">,
): number {
  const family = familyOf(to.ip);
  const fd = makeSocket(family, c.SOCK_RAW, options, IPPROTO_TCP);
  if (fd < 0) return -fd;
  try {
    const local = encodeSockaddr({ ip: from.ip, port: 0 }).slice();
    if (libc.bind(fd, local, local.length) < 0) return errno();
    for (const sequence of new Set([unacknowledged, next])) {
      const segment = resetSegment(from, to, sequence, expected);
      if (sendTo(fd, segment, encodeSockaddr({ ip: to.ip, port: 0 })) < 0) return errno();
    }
    return 0;
  } finally {
    libc.close(fd);
  }
}

/** Returns a segment with RST and ACK, with the checksum over both addresses (RFC 9293 3.1). */
export function resetSegment(from: SocketAddress, to: SocketAddress, sequence: number, expected: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, from.port);
  view.setUint16(2, to.port);
  view.setUint32(4, sequence);
  view.setUint32(8, expected);
  view.setUint8(12, (LENGTH / 4) << 4);
  view.setUint8(13, RST | ACK);
  let sum = IPPROTO_TCP + LENGTH;
  for (const part of [addressBytes(from), addressBytes(to), bytes]) {
    for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | part[i + 1]!;
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  view.setUint16(CHECKSUM, ~sum & 0xffff);
  return bytes;
}

function addressBytes(address: SocketAddress): Uint8Array {
  const name = encodeSockaddr(address);
  return name[0] === c.AF_INET ? name.slice(4, 8) : name.slice(8, 24);
}
