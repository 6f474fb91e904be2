/** The addresses that a network namespace has of its own. */
import { interfaceAddresses } from "../os/interfaces.ts";
import { insideNamespace } from "../os/namespace.ts";
import { type Ip, isLinkLocal, isLoopback } from "./address.ts";
import { decodeSockaddr } from "./sockaddr.ts";

/**
 * Those by which others can reach it, so neither loopback nor link-local ones; each once, in the kernel's order. Throws
 * `SystemError` where `descriptor` is no namespace.
 */
export function namespaceAddresses(descriptor: number): readonly Ip[] {
  const all = insideNamespace(descriptor, interfaceAddresses).map((bytes) => decodeSockaddr(bytes).ip);
  return [...new Set(all.filter((ip) => !isLoopback(ip) && !isLinkLocal(ip)))];
}
