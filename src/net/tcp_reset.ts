/** Resets the connection of a peer on another machine by packets that we make ourselves (RFC 9293 3.5.2). */
import * as c from "../os/constants.ts";
import { errno } from "../os/libc.ts";
import { libc } from "../os/libc_sockets.ts";
import { OwnedDescriptor } from "../os/owned_descriptor.ts";
import { sendTo } from "../os/socket.ts";
import type { TcpSequence } from "../os/tcp_sequence.ts";
import type { SocketAddress } from "./address.ts";
import type { Clock, Millis } from "./clock.ts";
import type { SocketOptions } from "./network.ts";
import { encodeSockaddr, familyOf } from "./sockaddr.ts";
import { makeSocket } from "./socket_options.ts";

const IPPROTO_TCP = 6;
const RST = 0x04, ACK = 0x10;
/** Length of a header without options, and the offset of its checksum. */
const LENGTH = 20, CHECKSUM = 16;

/** Times after the first packets at which they are sent again. */
const AGAIN: readonly Millis[] = [1000, 3000];
/** Connections for which packets are sent again at the same time. */
const MOST = 64;

/**
 * Sends resets, and sends them again a second and three seconds later: they are not acknowledged. Where they are lost, or
 * the answer to one that does not have the exact number, a client that only reads would wait for ever. A client that has
 * ended ignores them, and so does a new connection from its port, which has other numbers.
 */
export class TcpResets {
  readonly #clock: Clock;
  /** Sockets for packets that will be sent again. A number of a namespace may belong to another one by then. */
  readonly #open = new Set<OwnedDescriptor>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** From `from`, an address of the namespace, to `to`. Returns 0 or an errno: EPERM without CAP_NET_RAW. */
  send(
    from: SocketAddress,
    to: SocketAddress,
    { unacknowledged, next, expected }: TcpSequence,
    options: Pick<SocketOptions, "namespace" | "mark">,
  ): number {
    const made = makeSocket(familyOf(to.ip), c.SOCK_RAW, options, IPPROTO_TCP);
    if (made < 0) return -made;
    const socket = new OwnedDescriptor(made);
    const segments = [...new Set([unacknowledged, next])].map((number) => resetSegment(from, to, number, expected));
    const error = tie(made, from, to) || sendAll(made, segments, to);
    if (error !== 0 || this.#open.size >= MOST) {
      socket.close();
      return error;
    }
    this.#open.add(socket);
    for (const delay of AGAIN) this.#clock.after(delay, () => this.#sendAgain(socket, segments, to, delay));
    return 0;
  }

  /** Nothing is sent any more. */
  close(): void {
    for (const socket of this.#open) socket.close();
    this.#open.clear();
  }

  #sendAgain(socket: OwnedDescriptor, segments: readonly Uint8Array[], to: SocketAddress, delay: Millis): void {
    if (!this.#open.has(socket)) return;
    sendAll(socket.fd, segments, to);
    if (delay !== AGAIN.at(-1)) return;
    this.#open.delete(socket);
    socket.close();
  }
}

/** Binds to `from`, and connects: what other clients send is not copied to the socket. Returns 0 or an errno. */
function tie(fd: number, from: SocketAddress, to: SocketAddress): number {
  const local = encodeSockaddr({ ip: from.ip, port: 0 }).slice();
  if (libc.bind(fd, local, local.length) < 0) return errno();
  const remote = encodeSockaddr({ ip: to.ip, port: 0 }).slice();
  return libc.connect(fd, remote, remote.length) < 0 ? errno() : 0;
}

/** Returns 0 or an errno. */
function sendAll(fd: number, segments: readonly Uint8Array[], to: SocketAddress): number {
  for (const segment of segments) {
    if (sendTo(fd, segment, encodeSockaddr({ ip: to.ip, port: 0 })) < 0) return errno();
  }
  return 0;
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
