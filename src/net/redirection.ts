/**
 * A connection that iptables or nftables have redirected to a listener of ours. Its packets reach the client only while
 * the kernel's connection tracking has its entry. When that is lost (`conntrack -F`, or a connection that was half-closed
 * for a minute), our packets get to the client's kernel from an address that it has no connection to. It answers with
 * RST: our socket ends, and the client waits without end: the other side of its connection is gone.
 *
 * So when such a socket is closed the entry is checked, and where it is lost, the client's connection is ended too. The
 * socket of a client in the listener's network namespace, which outbound connections have, is closed. A client elsewhere
 * gets RST from the address that it connected to.
 */
import { SO_MARK, SOL_SOCKET } from "../os/constants.ts";
import { EADDRNOTAVAIL, ENOENT, EPERM, errnoName, SystemError } from "../os/errno.ts";
import { insideNamespace } from "../os/namespace.ts";
import { destroyTcpSocket } from "../os/sock_diag.ts";
import { getOption, originalDestination } from "../os/socket.ts";
import { takeTcpSequence } from "../os/tcp_sequence.ts";
import { formatAddress, type SocketAddress } from "./address.ts";
import type { Millis } from "./clock.ts";
import type { SocketLoop } from "./socket_loop.ts";
import { decodeSockaddr, encodeSockaddr } from "./sockaddr.ts";

/** A connection that was shorter and has ended regularly is not checked: that would cost each a system call. */
const LONG: Millis = 10_000;

/** The redirection of one accepted socket. */
export class Redirection {
  readonly #loop: SocketLoop;
  /** The address that the client connected to. */
  readonly #destination: SocketAddress;
  /** Of the listener; undefined: this thread's own. */
  readonly #namespace: number | undefined;
  readonly #since: Millis;

  constructor(loop: SocketLoop, destination: SocketAddress, namespace: number | undefined) {
    this.#loop = loop;
    this.#destination = destination;
    this.#namespace = namespace;
    this.#since = loop.now();
  }

  /** The socket `fd`, which leads to `client`, is about to be closed. `failed`: it was reset, or will be. */
  closing(fd: number, client: SocketAddress, failed: boolean): void {
    if (!failed && this.#loop.now() - this.#since < LONG) return;
    const name = originalDestination(fd);
    if (name !== null && formatAddress(decodeSockaddr(name)) === formatAddress(this.#destination)) return;
    const closed = this.#closeClient(client);
    // No such socket: the client is elsewhere, or has ended.
    const error = closed === ENOENT ? this.#resetClient(fd, client) : closed;
    // The destination is elsewhere, so the client is not, and has ended.
    if (error === EADDRNOTAVAIL) return;
    this.#loop.events.onLostRedirection?.(client, this.#destination, error === 0 ? null : errnoName(error));
  }

  /** Sends RST to a client outside of the namespace. Returns 0 or an errno. */
  #resetClient(fd: number, client: SocketAddress): number {
    // Without the mark the packets may be redirected themselves.
    const mark = getOption(fd, SOL_SOCKET, SO_MARK) ?? 0;
    const sequence = takeTcpSequence(fd);
    if (sequence === null) return EPERM;
    const namespace = this.#namespace === undefined ? {} : { namespace: this.#namespace };
    return this.#loop.resets.send(this.#destination, client, sequence, { mark, ...namespace });
  }

  /** Closes the socket of a client in the namespace. Returns 0 or an errno. */
  #closeClient(client: SocketAddress): number {
    const local = encodeSockaddr(client).slice(), remote = encodeSockaddr(this.#destination).slice();
    const close = () => destroyTcpSocket(local, remote);
    try {
      return this.#namespace === undefined ? close() : insideNamespace(this.#namespace, close);
    } catch (error) {
      if (error instanceof SystemError) return error.number;
      throw error;
    }
  }
}
