/**
 * A connection that iptables or nftables have redirected to a listener of ours. Its packets reach the client only while
 * the kernel's connection tracking has its entry. When that is lost (`conntrack -F`, or a connection that was half-closed
 * for a minute), our packets get to the client's kernel from an address that it has no connection to. It answers with
 * RST: our socket ends, and the client waits without end: the other side of its connection is gone.
 *
 * So when such a socket is closed the entry is checked, and where it is lost, the client's socket is closed too. This
 * works for clients in the listener's network namespace: those of outbound connections.
 */
import { ENOENT, errnoName, SystemError } from "../os/errno.ts";
import { insideNamespace } from "../os/namespace.ts";
import { destroyTcpSocket } from "../os/sock_diag.ts";
import { originalDestination } from "../os/socket.ts";
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
    const error = this.#closeClient(client);
    // No such socket: the client is elsewhere, or has ended.
    if (error === ENOENT) return;
    this.#loop.events.onLostRedirection?.(client, this.#destination, error === 0 ? null : errnoName(error));
  }

  /** Returns 0 or an errno. */
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
