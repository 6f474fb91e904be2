/** Ports for programs that need a port number in their configuration. */

/**
 * Free TCP ports of `hostname`, chosen by the kernel. Another process may bind one of them before the caller does: use a
 * loopback address of the test's own.
 */
export function freePorts(hostname: string, count: number): number[] {
  const listeners = Array.from({ length: count }, () => Deno.listen({ hostname, port: 0 }));
  const ports = listeners.map(({ addr }) => addr.port);
  for (const listener of listeners) listener.close();
  return ports;
}
