/** What the kernel reports about a network namespace that a descriptor refers to. */
import { AF_INET, SOCK_DGRAM } from "../os/constants.ts";
import { OUT_OF_RESOURCES } from "../os/errno.ts";
import { libc } from "../os/libc.ts";
import { namespaceIdentity } from "../os/namespace.ts";
import { namespaceCookie } from "../os/socket.ts";
import { makeSocket } from "./socket_options.ts";

/** How a namespace can be recognized. */
export interface NamespaceState {
  /** Device and inode (`docs/spec/inpod-dns.md` A2.1). */
  readonly identity: string;
  /** All sockets that were made in it have this cookie; null: the kernel reports none, or no socket could be made. */
  readonly cookie: bigint | null;
}

/**
 * Null: the descriptor is closed, or is not a namespace. `make`: makes a datagram socket in it, and returns its
 * descriptor or a negative errno.
 */
export function inspectNamespace(
  descriptor: number,
  make = () => makeSocket(AF_INET, SOCK_DGRAM, { namespace: descriptor }),
): NamespaceState | null {
  const socket = make();
  if (socket < 0 && !OUT_OF_RESOURCES.includes(-socket)) return null;
  try {
    return { identity: namespaceIdentity(descriptor), cookie: socket < 0 ? null : namespaceCookie(socket) };
  } catch {
    return null;
  } finally {
    if (socket >= 0) libc.close(socket);
  }
}
