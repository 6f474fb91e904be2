/** Datagram sockets on the reactor. */
import * as c from "../os/constants.ts";
import { EAGAIN } from "../os/errno.ts";
import { errno, libc } from "../os/libc.ts";
import { receiveFrom, sendTo, setOption, socketName } from "../os/socket.ts";
import { isIpv4, type SocketAddress } from "./address.ts";
import type { DatagramSink, DatagramSocket, UdpAt } from "./network.ts";
import type { FdHandler, Reactor } from "./reactor.ts";
import { decodeSockaddr, encodeSockaddr, familyOf, SOCKADDR_LENGTH } from "./sockaddr.ts";
import { makeSocket } from "./socket_options.ts";
import { listenError } from "./tcp_listener.ts";

/** Then others have their turn; what is left is announced again. */
const DATAGRAMS_PER_EVENT = 64;

/** One for all sockets of the isolate: what it holds is lent until the callback returns. Holds any UDP payload. */
const buffer = new Uint8Array(65_536);

export class UdpSocket implements DatagramSocket, FdHandler {
  readonly local: SocketAddress;
  readonly #reactor: Reactor;
  readonly #sink: DatagramSink;
  readonly #family: number;
  readonly #fd: number;
  readonly #from = new Uint8Array(SOCKADDR_LENGTH);
  #closed = false;

  /** Throws `ListenError`. */
  constructor(reactor: Reactor, at: UdpAt, sink: DatagramSink) {
    this.#reactor = reactor;
    this.#sink = sink;
    this.#family = familyOf(at.address.ip);
    this.#fd = openUdp(at, this.#family);
    this.local = decodeSockaddr(socketName(this.#fd)!);
    reactor.watch(this.#fd, c.EPOLLIN, this);
  }

  onEvents(): void {
    for (let i = 0; i < DATAGRAMS_PER_EVENT && !this.#closed; i++) {
      const length = receiveFrom(this.#fd, buffer, this.#from);
      if (length >= 0) this.#sink.onDatagram(buffer.subarray(0, length), decodeSockaddr(this.#from));
      // Anything else is an error that an earlier datagram brought back; it has been taken off the socket.
      else if (errno() === EAGAIN) return;
    }
  }

  send(bytes: Uint8Array, to: SocketAddress): boolean {
    if (this.#closed || (this.#family === c.AF_INET && !isIpv4(to.ip))) return false;
    return sendTo(this.#fd, bytes, encodeSockaddr(to, this.#family)) >= 0;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reactor.release(this.#fd);
  }
}

function openUdp(at: UdpAt, family: number): number {
  const fd = makeSocket(family, c.SOCK_DGRAM, at);
  if (fd < 0) throw listenError(at, -fd);
  const refuse = (): never => {
    const failed = errno();
    libc.close(fd);
    throw listenError(at, failed);
  };
  if (at.reusePort && !setOption(fd, c.SOL_SOCKET, c.SO_REUSEPORT, 1)) refuse();
  if (family === c.AF_INET6) setOption(fd, c.SOL_IPV6, c.IPV6_V6ONLY, at.dualStack === false ? 1 : 0);
  const name = encodeSockaddr(at.address);
  if (libc.bind(fd, name, name.length) < 0) refuse();
  return fd;
}
