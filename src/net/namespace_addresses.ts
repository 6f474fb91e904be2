/** Lists the addresses of a network namespace. */
import { interfaceAddresses } from "../os/interfaces.ts";
import { insideNamespace } from "../os/namespace.ts";
import { type Ip, isLinkLocal, isLoopback } from "./address.ts";
import { decodeSockaddr } from "./sockaddr.ts";

/**
 * Returns the addresses by which others can reach the namespace, so no loopback and no link-local ones. Each is there
 * once, in the kernel's order. Throws `SystemError` when `descriptor` is not a network namespace.
 */
export function namespaceAddresses(descriptor: number): readonly Ip[] {
  const all = insideNamespace(descriptor, interfaceAddresses).map((bytes) => decodeSockaddr(bytes).ip);
  return [...new Set(all.filter((ip) => !isLoopback(ip) && !isLinkLocal(ip)))];
}
