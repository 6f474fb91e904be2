/** What the kernel knows of a network namespace that somebody holds by a descriptor. */
import { AF_INET, SOCK_DGRAM } from "../os/constants.ts";
import { libc } from "../os/libc.ts";
import { namespaceIdentity } from "../os/namespace.ts";
import { namespaceCookie } from "../os/socket.ts";
import { makeSocket } from "./socket_options.ts";

export interface NamespaceState {
  /** Device and inode (`docs/spec/inpod-dns.md` A2.1). */
  readonly identity: string;
  /** Every socket that was made in there has it; null where the kernel does not tell. */
  readonly cookie: bigint | null;
}

/** Null where the descriptor is closed or is no namespace. */
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
