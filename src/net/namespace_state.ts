/** What the kernel reports about a network namespace that a descriptor refers to. */
import { AF_INET, SOCK_DGRAM } from "../os/constants.ts";
import { libc } from "../os/libc.ts";
import { namespaceIdentity } from "../os/namespace.ts";
import { namespaceCookie } from "../os/socket.ts";
import { makeSocket } from "./socket_options.ts";

/** How a namespace can be recognized. */
export interface NamespaceState {
  /** Device and inode (`docs/spec/inpod-dns.md` A2.1). */
  readonly identity: string;
  /** All sockets that were made in it have this cookie; null: the kernel reports none. */
  readonly cookie: bigint | null;
}

/** Null: the descriptor is closed, or is not a namespace. */
export function inspectNamespace(descriptor: number): NamespaceState | null {
  const socket = makeSocket(AF_INET, SOCK_DGRAM, { namespace: descriptor });
  if (socket < 0) return null;
  try {
    return { identity: namespaceIdentity(descriptor), cookie: namespaceCookie(socket) };
  } catch {
    return null;
  } finally {
    libc.close(socket);
  }
}
