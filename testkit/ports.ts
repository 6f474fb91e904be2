/** Ports for what must know its port beforehand. */

/**
 * Free TCP ports of `hostname`, by the kernel's choice. Another process may take one in between: use an address of
 * loopback that nobody else uses.
 */
export function freePorts(hostname: string, count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname, port: 0 }));
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}
